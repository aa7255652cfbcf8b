"""Tests of :mod:`xbot.engine.dispatch.duplicates`."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from xbot.engine.dispatch.duplicates import RecentKeys


class RecentKeysTests(SynchronousTestCase):
    def test_once(self) -> None:
        """A key is new once."""
        keys = RecentKeys()
        self.assertEqual([keys.add(key) for key in "aab"], [True, False, True])

    def test_bounded(self) -> None:
        """The oldest are forgotten, and no more than the limit is kept."""
        keys = RecentKeys(limit=2)
        for key in "abc":
            keys.add(key)
        self.assertEqual([keys.add(key) for key in "cba"], [False, False, True])

    def test_ages(self) -> None:
        """A key that lasts for a while is new after that, counted from its last time as new."""
        clock = Clock()
        keys = RecentKeys(limit=2, seconds=clock.seconds)
        self.assertTrue(keys.add("a", 10.0))
        clock.advance(10.0)
        self.assertFalse(keys.add("a", 10.0))
        clock.advance(0.5)
        self.assertFalse(keys.add("a"), "for ever")
        keys.add("b")
        self.assertEqual([keys.add("a", 10.0), keys.add("a", 10.0)], [True, False])
        keys.add("c")
        self.assertTrue(keys.add("b"), "the oldest is forgotten")
