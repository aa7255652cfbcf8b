"""Tests of :mod:`xbot.app.reload_queue`."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial import unittest

from xbot.app.reload_queue import SETTLE, ReloadQueue


class ReloadingTests(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.works = []
        self.reloading = ReloadQueue(self.clock, self.work)

    async def work(self):
        done = Deferred()
        self.works.append(done)
        await done

    def test_many_are_one(self):
        """Whoever asks at about the same time gets the same work."""
        self.reloading.begin()
        asked = [self.reloading.ask() for _ in range(10)]
        self.clock.advance(SETTLE)
        self.assertEqual(len(self.works), 1)
        self.assertNoResult(asked[0])
        self.works[0].callback(None)
        for each in asked:
            self.successResultOf(each)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_asked_for_while_at_work(self):
        """Whoever asks while it is at work gets one more, after this one."""
        self.reloading.begin()
        first = self.reloading.ask()
        self.clock.advance(SETTLE)
        later = [self.reloading.ask() for _ in range(5)]
        self.clock.advance(100)
        self.assertEqual(len(self.works), 1)
        self.works[0].callback(None)
        self.successResultOf(first)
        self.assertNoResult(later[0])
        self.clock.advance(SETTLE)
        self.assertEqual(len(self.works), 2)
        self.works[1].callback(None)
        for each in later:
            self.successResultOf(each)

    def test_before_and_after(self):
        """What is asked for too early waits; too late, it is nothing."""
        early = self.reloading.ask()
        self.clock.advance(100)
        self.assertEqual(self.works, [])
        self.reloading.begin()
        self.clock.advance(SETTLE)
        self.works[0].callback(None)
        self.successResultOf(early)
        last = self.reloading.ask()
        self.reloading.end()
        self.successResultOf(last)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_mistake_of_ours(self):
        """Work that raises is logged, and the next one is done all the same."""
        self.reloading.begin()
        for _ in range(2):
            asked = self.reloading.ask()
            self.clock.advance(SETTLE)
            self.works.pop().errback(ZeroDivisionError())
            self.successResultOf(asked)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
