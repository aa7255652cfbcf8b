"""The same text again and again."""

from twisted.trial import unittest

from xbot.repeats import MAX_TEXTS, MOST, PERIOD, Repeats


class RepeatsTests(unittest.TestCase):
    def test_seldom(self):
        """What comes now and then is written each time."""
        repeats = Repeats()
        for second in range(1000):
            self.assertEqual(repeats.got("a\n", float(second)), ["a\n"])

    def test_often(self):
        """What comes often is written a while, then counted, and the count is told."""
        repeats = Repeats()
        written = [repeats.got("a\n", 1.0) for _ in range(MOST + 3)]
        self.assertEqual(written, [["a\n"]] * MOST + [[]] * 3)
        self.assertEqual(repeats.got("a\n", 1.0 + PERIOD), ["a (3 times more)\n", "a\n"])

    def test_bounded(self):
        """Of any number of texts a few are watched, and nothing that was counted is lost."""
        repeats = Repeats()
        for _ in range(MOST + 7):
            repeats.got("a\n", 1.0)
        written = [repeats.got(f"{number}\n", 1.0) for number in range(10 * MAX_TEXTS)]
        self.assertLessEqual(len(repeats._watched), MAX_TEXTS + 1)
        lines = [line for each in written for line in each]
        self.assertEqual(lines.count("a (7 times more)\n"), 1)
        self.assertEqual(len(lines), 10 * MAX_TEXTS + 1)

    def test_a_clock_that_goes_back(self):
        """A wall clock that jumps makes nothing silent."""
        repeats = Repeats()
        for _ in range(MOST + 1):
            repeats.got("a\n", 1e9)
        self.assertEqual(repeats.got("a\n", 0.0)[-1], "a\n")
