"""Import of wokkel on current Twisted."""

import json
import os
import subprocess
import sys
from pathlib import Path

from twisted.python import compat
from twisted.trial import unittest
from twisted.words.protocols.jabber import jid

import xbot
import xbot.chat.xmpp.wire._wokkel
from tests.chat.xmpp.harness import parse

#: Faults of wokkel's tests, not of wokkel: nothing else is tolerated.
FAULTY = {
    # Stops a connector that was never started, with a reactor that no longer allows it.
    "wokkel.test.test_component.ComponentTest.test_stopServiceNoReconnect",
    # Counts the positional arguments of a Twisted call that has grown one since.
    "wokkel.test.test_client.ClientCreatorTest.test_call",
}

RUN_SUITE = """
import io, json, sys
from twisted.python import log
from xbot.chat.xmpp.wire._wokkel import legacy_twisted
from twisted.trial import reporter, runner
with legacy_twisted():
    suite = runner.TestLoader().loadByName("wokkel.test", recurse=True)
result = reporter.Reporter(stream=io.StringIO())
suite.run(result)
bad = [test.id() for test, _ in result.errors + result.failures]
json.dump({"run": result.testsRun, "bad": bad}, sys.stdout)
"""


class DoorTests(unittest.TestCase):
    def test_wokkels_own_tests_pass_through_the_door(self):
        """wokkel behaves on this Twisted as its authors promise, but for its known faulty tests."""
        # trial changes the working directory; the package must be found all the same.
        root = str(Path(xbot.__file__).parent.parent)
        finished = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", RUN_SUITE],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            env={**os.environ, "PYTHONPATH": root},
        )
        self.assertEqual(finished.returncode, 0, finished.stderr[-2000:])
        outcome = json.loads(finished.stdout)
        self.assertGreaterEqual(outcome["run"], 650)
        self.assertLessEqual(set(outcome["bad"]), FAULTY)

    def test_twisted_is_left_as_it_was(self):
        """Importing wokkel leaves no stand-in behind."""
        self.assertIs(sys.modules["twisted.python.compat"], compat)
        self.assertFalse(hasattr(compat, "_PY3"))
        self.assertNotIn("twisted.python.constants", sys.modules)

    def test_stand_ins_go_after_an_error_too(self):
        """An import that fails through the door leaves no stand-in behind either."""
        with self.assertRaises(ZeroDivisionError), xbot.chat.xmpp.wire._wokkel.legacy_twisted():
            self.assertIsNot(sys.modules["twisted.python.compat"], compat)
            raise ZeroDivisionError
        self.assertIs(sys.modules["twisted.python.compat"], compat)

    def test_stand_in_hands_on_the_real_names(self):
        """What wokkel takes from the real module is the real thing."""
        with xbot.chat.xmpp.wire._wokkel.legacy_twisted():
            from twisted.python.compat import nativeString
        self.assertIs(nativeString, compat.nativeString)

    def test_lazy(self):
        """Each module is imported when it is first used, through the door; no other name is."""
        # In a process of its own: here, other tests have used them.
        code = (
            "import sys; from xbot.chat.xmpp.wire import _wokkel\n"
            "print(*(name for name in _wokkel.LAZY if 'wokkel.' + name in sys.modules))\n"
            "print(*(getattr(_wokkel, name).__name__ for name in _wokkel.LAZY))\n"
            "print(_wokkel.disco is _wokkel.disco, 'twisted.python.constants' in sys.modules)\n"
        )
        root = str(Path(xbot.__file__).parent.parent)
        told = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
            env={**os.environ, "PYTHONPATH": root},
        ).stdout.splitlines()
        names = " ".join(f"wokkel.{name}" for name in xbot.chat.xmpp.wire._wokkel.LAZY)
        self.assertEqual(told, ["", names, "True False"])
        with self.assertRaises(AttributeError):
            _ = xbot.chat.xmpp.wire._wokkel.client

    def test_publish_subscribe(self):
        """The classes of publish-subscribe come through the door, and read what they write."""
        pubsub = xbot.chat.xmpp.wire._wokkel.pubsub
        item = pubsub.Item("one", parse("<entry xmlns='urn:entry'/>"))
        self.assertEqual((item.name, item["id"], item.entry.uri), ("item", "one", "urn:entry"))
        subscription = pubsub.Subscription("node", jid.JID("a@example.org"), "subscribed")
        read = pubsub.Subscription.fromElement(subscription.toElement())
        self.assertEqual(
            (read.nodeIdentifier, read.subscriber.full(), read.state),
            ("node", "a@example.org", "subscribed"),
        )
