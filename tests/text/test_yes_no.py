"""Tests of :mod:`xbot.text.yes_no`."""

from twisted.trial import unittest

from xbot.text.yes_no import MAX_LENGTH, read_yes_no


class YesNoTests(unittest.TestCase):
    def test_yes(self) -> None:
        """What people say for yes, in any case and with any punctuation, and nothing beside it."""
        for text in ("y", "Y!", "yes", " YES. ", "ok", "OK, do it", "yes, please", "go ahead!"):
            self.assertIs(read_yes_no(text), True, text)

    def test_no(self) -> None:
        """What begins with a no is one, whatever follows."""
        for text in ("n", "No!", "nope", "no, yes", "Don't!", "wait, yes", "stop"):
            self.assertIs(read_yes_no(text), False, text)

    def test_neither(self) -> None:
        """A yes with other words is none, and so is a word that only begins like a no."""
        for text in ("", "?", "yesterday", "yes but not now", "okra", "nobody", "y" * 9999):
            self.assertIsNone(read_yes_no(text), text)
        self.assertIsNone(read_yes_no("yes" + " " * MAX_LENGTH))
