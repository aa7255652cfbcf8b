"""Tests of :mod:`xbot.text.terminal`."""

from twisted.trial import unittest

from xbot.text.terminal import as_line


class LineTests(unittest.TestCase):
    def test_nothing_steers_the_terminal(self):
        """Escape, carriage return and direction marks are shown, not obeyed."""
        self.assertEqual(
            as_line("n\x1b", "a\x1b[2J\r\u202eb"), "n\ufffd> a\ufffd[2J\ufffd\ufffdb\n"
        )

    def test_further_lines_stand_under_the_first(self):
        """An answer of several lines is indented by its speaker's name."""
        self.assertEqual(as_line("bo", "a\nb"), "bo> a\n    b\n")
