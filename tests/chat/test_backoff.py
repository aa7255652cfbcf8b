"""Exponential back-off with jitter."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from tests.chat.xmpp.harness import PROPERTY
from xbot.chat.backoff import Backoff


class BackoffTests(unittest.TestCase):
    def test_doubles_up_to_the_bound(self):
        """At its highest the delay doubles with each failure, and stays at the bound."""
        backoff = Backoff(1, 20, lambda low, high: high)
        self.assertEqual([backoff.next_delay() for _ in range(6)], [2, 4, 8, 16, 20, 20])

    def test_spread(self):
        """Chance has the upper half of each delay to itself, and never less than the first."""
        seen = []
        backoff = Backoff(1, 20, lambda low, high: seen.append((low, high)) or high)
        for _ in range(5):
            backoff.next_delay()
        self.assertEqual(seen, [(1, 2), (2, 4), (4, 8), (8, 16), (10, 20)])

    def test_reset(self):
        """After a reset the next failure is the first one again."""
        backoff = Backoff(1, 20, lambda low, high: high)
        first = backoff.next_delay()
        backoff.next_delay()
        backoff.reset()
        self.assertEqual(backoff.failures, 0)
        self.assertEqual(backoff.next_delay(), first)

    @PROPERTY
    @given(st.floats(0.1, 60), st.floats(1, 100), st.integers(0, 5000), st.floats(0, 1))
    def test_always_within_bounds(self, first, factor, failures, chance):
        """However often it failed, the delay lies between the first and the last."""
        backoff = Backoff(first, first * factor, lambda low, high: low + (high - low) * chance)
        backoff.failures = failures
        delay = backoff.next_delay()
        self.assertGreaterEqual(delay, first * 0.999)
        self.assertLessEqual(delay, first * factor * 1.001)
