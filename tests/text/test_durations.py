"""Tests of :mod:`xbot.text.durations`."""

from twisted.trial.unittest import TestCase

from xbot.text.durations import seconds


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
