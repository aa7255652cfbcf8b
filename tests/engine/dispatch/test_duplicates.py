"""Tests of :mod:`xbot.engine.dispatch.duplicates`."""

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
