"""Tests of :mod:`xbot.text.durations`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from xbot.text.durations import seconds, shown


class SecondsTests(TestCase):
    def test_right(self) -> None:
        """Whole numbers and their units, blanks or none between them, are added up."""
        for text, expected in {
            "500ms": 0.5,
            "30s": 30,
            " 5 m ": 300,
            "1h30m": 5400,
            "1d 2h": 93600,
        }.items():
            self.assertEqual(seconds(text, 1e6), expected, text)

    def test_wrong(self) -> None:
        """Anything else is refused with what is wrong."""
        for text, reason in {
            "30": "the unit is missing",
            "": "no duration",
            "h": "no duration",
            "1h30": "no duration",
            "3 weeks": "no duration",
            "1.5h": "no duration",
            "0s": "out of range",
            "2d": "out of range",
            "9" * 4096 + "s": "no duration",
        }.items():
            with self.assertRaises(ValueError) as caught:
                seconds(text, 86400)
            self.assertIn(reason, str(caught.exception), text[:20])

    def test_limit(self) -> None:
        """The longest one is told as people write it."""
        for longest, written in {86400: "1d", 3600: "1h", 90: "90s", 0.25: "250ms"}.items():
            with self.assertRaisesRegex(ValueError, f", and at most {written}$"):
                seconds("2d", longest)


class ShownTests(TestCase):
    def test_examples(self) -> None:
        """Durations are shown as people write them: no 300 s, and two units at most."""
        for measured, text in {
            0.0: "0 s",
            0.25: "0.2 s",
            2.04: "2 s",
            30: "30 s",
            59.97: "1m",
            90: "1m30s",
            300: "5m",
            3599.7: "1h",
            5400: "1h30m",
            3601: "1h",
            86400: "1d",
            90061: "1d1h",
        }.items():
            self.assertEqual(shown(measured), text)

    @given(st.integers(1, 10**7))
    def test_readable(self, whole: int) -> None:
        """What is shown can be written into an ini, and is the same within one unit."""
        found = seconds(shown(whole), 1e9)
        self.assertLessEqual(found, whole)
        self.assertLess(whole - found, 3600 if whole >= 86400 else 60 if whole >= 3600 else 1)
