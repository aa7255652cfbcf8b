"""Tests of :mod:`xbot.model.cooldown`."""

from twisted.internet.task import Clock
from twisted.trial import unittest

from xbot.model.cooldown import Cooldown


class ThrottleTests(unittest.TestCase):
    def test_each_once_in_a_period(self):
        """A key is allowed once, and again when the period is over, whatever others do."""
        clock = Clock()
        throttle = Cooldown(clock, 60)
        self.assertTrue(throttle.allows("a"))
        clock.advance(30)
        self.assertEqual([throttle.allows(key) for key in "aba"], [False, True, False])
        clock.advance(30)
        self.assertEqual([throttle.allows(key) for key in "ab"], [True, False])

    def test_shares(self):
        """Those of one share leave some to others, and have theirs again after the period."""
        clock = Clock()
        throttle = Cooldown(clock, 60, most=10)
        for _ in range(3):
            allowed = [throttle.allows(str(number), "evil.example") for number in range(100)]
            self.assertEqual(sum(allowed), 5)
            self.assertTrue(throttle.allows("alice", "example.org"))
            clock.advance(60)
        self.assertTrue(throttle.allows("a"))
        self.assertEqual(throttle._taken, {})

    def test_bounded(self):
        """However many keys there are, so many are allowed in a period and kept in memory."""
        clock = Clock()
        throttle = Cooldown(clock, 60, most=10)
        for _ in range(3):
            allowed = [throttle.allows(str(number)) for number in range(1000)]
            self.assertEqual(allowed, [True] * 10 + [False] * 990)
            self.assertEqual(len(throttle._last), 10)
            clock.advance(60)

    def test_remaining(self):
        """It is known how long a key's cooldown still lasts."""
        clock = Clock()
        throttle = Cooldown(clock, 60)
        throttle.allows("a")
        clock.advance(20)
        self.assertEqual([throttle.remaining(key) for key in "ab"], [40, 0])
        clock.advance(50)
        self.assertEqual(throttle.remaining("a"), 0)
