"""Tests of :mod:`xbot.runtime.failures`."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from xbot.runtime.answers import MAX_LENGTH
from xbot.runtime.failures import Failed


class FailedTests(TestCase):
    def test_long_failure(self) -> None:
        """What a responder says of its own failure is cut like any answer."""
        self.assertEqual(len(Failed("x" * 2**20).answer), MAX_LENGTH)
