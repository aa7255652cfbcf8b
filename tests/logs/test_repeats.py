"""Tests of :mod:`xbot.logs.repeats`."""

from twisted.internet.task import Clock
from twisted.trial import unittest

from xbot.logs.record import Record
from xbot.logs.repeats import BURST, WINDOW, Repeated, Repeats


def record(text="x"):
    return Record("info", "xbot", text)


class RepeatsTests(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.repeats = Repeats(self.clock.seconds, limit=5)

    def say(self, text="x", times=1):
        return sum(self.repeats.admits(record(text)) for _ in range(times))

    def test_a_burst(self):
        """The same record is let through some times, and told as a number once time is up."""
        self.assertEqual(self.say(times=BURST + 37), BURST)
        self.assertEqual(list(self.repeats.over()), [])
        self.clock.advance(WINDOW)
        self.assertEqual(list(self.repeats.over()), [Repeated(record(), 37)])
        self.assertEqual(list(self.repeats.over()), [])
        self.assertEqual(self.say(times=BURST), BURST)

    def test_others_in_between(self):
        """Others in between change nothing: each record is counted for itself."""
        written = [self.say("x") + self.say("y") for _ in range(BURST + 1)]
        self.assertEqual(written, [2] * BURST + [0])

    def test_rare(self):
        """What is not repeated often is never told as a number."""
        for _ in range(100):
            self.assertEqual(self.say(times=BURST), BURST)
            self.clock.advance(WINDOW)
            self.assertEqual(list(self.repeats.over()), [])

    def test_bounded(self):
        """Of many different records the oldest are told and forgotten early."""
        self.say("first", BURST + 1)
        told = []
        for number in range(100):
            self.say(str(number))
            told += self.repeats.over()
            self.assertLessEqual(len(self.repeats._seen), 5)
        self.assertEqual(told, [Repeated(record("first"), 1)])

    def test_the_end(self):
        """At the end everything that was only counted is told."""
        self.say("a", BURST + 1)
        self.say("b")
        self.assertEqual(list(self.repeats.over(everything=True)), [Repeated(record("a"), 1)])
