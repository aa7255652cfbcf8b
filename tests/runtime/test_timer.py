"""Tests of :mod:`xbot.runtime.timer`."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import TestCase

from xbot.runtime.timer import StillAtWork, Timer


class TimerTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.times: list[float] = []
        self.result: Any = lambda: succeed(None)
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def timer(self, **options: Any) -> Timer:
        timer = Timer("tea: look", 10, self.work, 25, self.clock, **options)
        timer.start()
        return timer

    def work(self) -> Deferred[object]:
        self.times.append(self.clock.seconds())
        result: Deferred[object] = self.result()
        return result

    def logged(self, level: LogLevel) -> list[str]:
        found = [each["log_format"] for each in self.events if each["log_level"] is level]
        self.events.clear()
        return found

    def test_when(self) -> None:
        """First after one period, or at once, then after each, until it is stopped."""
        timer = self.timer()
        self.clock.pump([5] * 6)
        timer.stop()
        self.clock.advance(100)
        self.assertEqual(self.times, [10, 20, 30])
        self.timer(at_start=True)
        self.assertEqual(self.times[3:], [130])

    def test_never_with_itself(self) -> None:
        """While it is at work it is not done again."""
        working: Deferred[object] = Deferred()
        self.result = lambda: working
        self.timer()
        self.clock.pump([10] * 3)
        self.assertEqual(self.times, [10])
        working.callback(None)
        self.clock.advance(10)
        self.assertEqual(self.times, [10, 40])

    def test_limit(self) -> None:
        """What takes too long is cancelled and logged, and done again."""
        cancelled: list[object] = []
        self.result = lambda: Deferred(cancelled.append)
        timer = self.timer()
        self.clock.pump([10] + [5] * 5)
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(self.logged(LogLevel.warn), ["{name} did not finish within {limit}"])
        self.clock.pump([5] * 2)
        self.assertEqual(self.times, [10, 40])
        timer.stop()
        self.assertEqual(len(cancelled), 2)
        self.assertEqual(self.logged(LogLevel.warn), [])

    def test_failures(self) -> None:
        """Each failure is one line, the first with its traceback, and the timer goes on."""
        self.result = lambda: 1 / 0
        self.timer()
        self.clock.pump([10] * 3)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(
            self.logged(LogLevel.error), ["{name} failed"] + 2 * ["{name} failed again: {reason}"]
        )
        self.result = lambda: succeed(None)
        self.clock.advance(10)
        self.result = lambda: fail(ValueError())
        self.clock.advance(10)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_still_at_work(self) -> None:
        """What does not end although it was told to is logged once, until it does."""
        stuck = "{name} still runs after its time limit; skipped until it ends"
        self.result = lambda: fail(StillAtWork())
        self.timer()
        self.clock.pump([10] * 3)
        self.assertEqual(self.logged(LogLevel.error), [stuck])
        self.result = lambda: succeed(None)
        self.clock.advance(10)

        async def ignores() -> None:
            try:
                await Deferred()
            except CancelledError:
                await Deferred()

        self.result = lambda: Deferred.fromCoroutine(ignores())
        self.clock.pump([10] * 10)
        self.assertEqual(self.logged(LogLevel.error), [stuck])
