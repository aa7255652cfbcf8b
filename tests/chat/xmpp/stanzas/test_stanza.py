"""Building of message stanzas."""

from twisted.trial import unittest

from tests.chat.xmpp.harness import build, parse, shape
from xbot.chat.xmpp.stanzas.stanza import error_reply, message_element
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.serialize import serialize
from xbot.model.message import Message


class WritingTests(unittest.TestCase):
    def test_message_element(self):
        """A message is one stanza with its body, type and id, and no other fact in it."""
        table = (
            ({"type": "groupchat", "id": "7"}, {"type": "groupchat", "id": "7"}),
            ({"other": "x"}, {"type": "chat"}),
        )
        for payload, attributes in table:
            message = Message("xbot@example.org/bot", "room@muc.example.org", "hi\n", payload)
            self.assertEqual(
                shape(message_element(message)),
                (
                    ns.CLIENT,
                    "message",
                    {"to": "room@muc.example.org", **attributes},
                    [(ns.CLIENT, "body", {}, ["hi\n"])],
                ),
            )

    def test_control_characters(self):
        """Characters that XML forbids go out as U+FFFD, one for one."""
        message = Message("a@b", "c@d", "\x00a\x0b\x1b[0m\ud800\ufffe\t\r\n<&>")
        sent = parse(serialize(message_element(message), ns.CLIENT).decode())
        self.assertEqual(str(sent.body), "\ufffda\ufffd\ufffd[0m\ufffd\ufffd\t\r\n<&>")

    def test_error_reply(self):
        """An error goes back to whom it concerns, with nothing of the offence in it."""
        stanza = build(ns.CLIENT, "message", {"from": "a@b", "id": "1", "to": "c@d"}, ["text"])
        stanza.addElement(("urn:x", "x"))
        self.assertEqual(
            shape(error_reply(stanza, "not-acceptable", "modify")),
            (
                ns.CLIENT,
                "message",
                {"type": "error", "to": "a@b", "id": "1"},
                [(ns.CLIENT, "error", {"type": "modify"}, [
                    (ns.STANZA_ERRORS, "not-acceptable", {}, [])])],
            ),
        )  # fmt: skip
