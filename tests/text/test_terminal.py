"""Tests of :mod:`xbot.text.terminal`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from xbot.text.terminal import as_line, printed


class PrintedTests(unittest.TestCase):
    def test_escapes(self) -> None:
        """Colours, titles and links of a terminal are taken out, and their text stays."""
        for text, shown in (
            ("\x1b[1;31mred\x1b[0m", "red"),
            ("\x1b]0;title\x07x", "x"),
            ("\x1b]8;;http://a.example\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\x1b(Bx\x9b32my", "xy"),
            ("a\x1b", "a"),
            ("a\x1b[", "a"),
        ):
            self.assertEqual(printed(text), shown, repr(text))

    def test_overwritten(self) -> None:
        """A progress bar leaves its last state, and bold by overstriking its letters."""
        self.assertEqual(printed("10 %\r50 %\r100 %\r\ndone\r\n"), "100 %\ndone\n")
        self.assertEqual(printed("50 %\r"), "50 %")
        self.assertEqual(printed("N\bNA\bA"), "NA")

    def test_controls(self) -> None:
        """Other control characters are taken out; tabs, newlines and all letters stay."""
        self.assertEqual(printed("a\tb\x00\x07\nö\U0001f600\x85"), "a\tb\nö\U0001f600")

    @given(st.text(alphabet="ab\n\r\b\x1b[]m;\x07\x9b"))
    def test_nothing_left(self, text: str) -> None:
        """No control character is left, and no line is added."""
        shown = printed(text)
        self.assertFalse(set(shown) & set("\r\b\x1b\x07\x9b"))
        self.assertLessEqual(shown.count("\n"), text.count("\n"))


class LineTests(unittest.TestCase):
    def test_nothing_steers_the_terminal(self):
        """Escape, carriage return and direction marks are shown, not obeyed."""
        self.assertEqual(
            as_line("n\x1b", "a\x1b[2J\r\u202eb"), "n\ufffd> a\ufffd[2J\ufffd\ufffdb\n"
        )

    def test_further_lines_stand_under_the_first(self):
        """An answer of several lines is indented by its speaker's name."""
        self.assertEqual(as_line("bo", "a\nb"), "bo> a\n    b\n")
