"""Tests of :mod:`xbot.chat.xmpp.rooms.unconfirmed`: messages that may have arrived."""

from twisted.trial import unittest

from xbot.chat.xmpp.rooms.unconfirmed import HISTORY, MAX_KNOWN, Unconfirmed
from xbot.chat.xmpp.stream.stream_management import WINDOW
from xbot.model.message import Message


def message(id):
    return Message("", "room@muc.example.org", "x", {"type": "groupchat", "id": id})


class UnconfirmedTests(unittest.TestCase):
    def setUp(self):
        self.unconfirmed = Unconfirmed()

    def test_bounded(self):
        """It remembers as many as can be under way at once; the oldest are sent again."""
        self.assertGreaterEqual(MAX_KNOWN, WINDOW)
        for number in range(3 * MAX_KNOWN):
            self.unconfirmed.add(message(f"{number}"), "bot")
        self.assertEqual(len(self.unconfirmed), MAX_KNOWN)
        for number in range(3 * MAX_KNOWN):
            self.unconfirmed.got_history("bot", "bot", f"{number}", None)
        self.unconfirmed.end()
        found = [n for n in range(3 * MAX_KNOWN) if self.unconfirmed.take(message(f"{n}"))]
        self.assertEqual(found, list(range(2 * MAX_KNOWN, 3 * MAX_KNOWN)))
        self.assertEqual(len(self.unconfirmed), 0)

    def test_history(self):
        """A history is asked for from a loss to the end of the history."""
        self.assertEqual(self.unconfirmed.history, 0)
        self.unconfirmed.add(message("a"), "bot")
        self.assertEqual(self.unconfirmed.history, HISTORY)
        self.unconfirmed.end()
        self.assertEqual((self.unconfirmed.history, len(self.unconfirmed)), (0, 0))

    def test_taken_once(self):
        """A message that was found is taken once, and one that was not is not."""
        for id in "ab":
            self.unconfirmed.add(message(id), "bot")
        self.unconfirmed.got_history("bot", "bot", "b", "b")
        self.unconfirmed.end()
        taken = [self.unconfirmed.take(message(id)) for id in "abb"]
        self.assertEqual(taken, [False, True, False])

    def test_without_id(self):
        """A message without an id cannot be found."""
        self.unconfirmed.add(Message("", "room@muc.example.org", "x"), "bot")
        self.unconfirmed.got_history("bot", "bot", None, None)
        self.assertFalse(self.unconfirmed.is_open)
