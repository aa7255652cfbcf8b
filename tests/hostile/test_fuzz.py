"""Fuzz test: 20,000 mutated inputs from a fixed seed; ``make fuzz`` runs any number."""

import os

from twisted.trial import unittest

from tests.chat.xmpp.harness import PASSWORD
from tests.effort import examples
from tests.hostile.fuzz import Failed, Fuzzer, recorded
from xbot.chat.xmpp.messages import Messages
from xbot.chat.xmpp.ping import Ping
from xbot.chat.xmpp.stanzas import stanza as stanza_module
from xbot.chat.xmpp.stream import iq

INPUTS = int(os.environ.get("XBOT_FUZZ", examples(20_000)))


class FuzzTests(unittest.TestCase):
    def test_nothing_escapes(self):
        """Whatever comes, nothing is raised, logged as a failure, or said that nobody meant."""
        fuzzer = Fuzzer(seed=1)
        fuzzer.run(INPUTS)
        self.assertGreaterEqual(fuzzer.number, INPUTS)
        self.assertGreater(fuzzer.lives, fuzzer.number // 100)

    def test_recordings(self):
        """Both servers' streams are there, and hold nothing of a login."""
        streams = recorded()
        self.assertEqual(len(streams), 2)
        for stream in streams:
            self.assertGreater(len(stream), 40)
            for element in stream:
                self.assertNotIn("sasl", element.toXml())
                self.assertNotIn(PASSWORD, element.toXml())

    def assert_found(self, text):
        """The fuzzer finds what is wrong now."""
        # Much more than chance needs: where a stream ends decides what comes next.
        with self.assertRaises(Failed) as caught:
            Fuzzer(seed=1).run(100_000)
        self.assertIn(text, str(caught.exception))
        self.assertIn("seed 1, input ", str(caught.exception))

    def test_finds_what_is_raised(self):
        """A fault in one handler, at a text that only chance brings, is found."""

        def broken(messages, stanza):
            if "%s" in str(stanza.getAttribute("id", "")):
                raise RuntimeError("a fault")

        self.patch(Messages, "got_stanza", broken)
        self.assert_found("a fault")
        self.flushLoggedErrors(RuntimeError)

    def test_finds_what_is_said(self):
        """So is an answer that repeats what was asked."""

        def echo(stanza, condition, kind="cancel"):
            reply = stanza_module.error_reply(stanza, condition, kind)
            reply.children += stanza.children
            return reply

        self.patch(iq, "error_reply", echo)
        self.assert_found("on the wire: unintended")

    def test_finds_what_is_left(self):
        """So is a timer that nobody stops."""
        self.patch(Ping, "connectionLost", lambda ping, reason: None)
        self.assert_found("left behind")
