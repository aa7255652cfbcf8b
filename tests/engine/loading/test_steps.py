"""Tests of :mod:`xbot.engine.loading.steps`."""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from xbot.engine.loading import steps
from xbot.engine.loading.steps import SLOW_STEP, in_steps


class StepTests(TestCase):
    def setUp(self) -> None:
        self.now = 0.0
        self.patch(steps, "_seconds", lambda: self.now)
        self.told: list[str] = []
        self.ended: list[str] = []

        def observe(event: Any) -> None:
            if event["log_level"] is LogLevel.warn:
                self.told.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def run_it(self, function: Callable[..., Any], *args: object) -> Deferred[Any]:
        async def run() -> object:
            return await function(*args)

        return in_steps(function, run())

    async def waits(self) -> None:
        """Waits for ever, and says when it need not any more."""
        try:
            await Deferred()
        finally:
            self.ended.append("cleaned up")

    async def work(self, *parts: float | Awaitable[Any]) -> list[Any]:
        """Takes so many seconds without a pause, or awaits something."""
        results = []
        for part in parts:
            if isinstance(part, float):
                self.now += part
            else:
                results.append(await part)
        return results

    def test_long_steps(self) -> None:
        """What holds the reactor up is named, whichever step it is, and goes on."""
        later: Deferred[str] = Deferred()
        done = self.run_it(self.work, 2.0, succeed("a"), later, 0.6, succeed("b"), 0.7)
        self.assertEqual(len(self.told), 1)
        later.callback("c")
        self.assertEqual(self.successResultOf(done), ["a", "c", "b"])
        first, second = self.told
        self.assertIn(f"{__name__}.StepTests.work held up the whole bot for 2 s", first)
        self.assertIn("1.3 s", second)

    def test_waiting(self) -> None:
        """To wait, and to be quick, is nobody's fault."""
        later: Deferred[str] = Deferred()
        done = self.run_it(self.work, SLOW_STEP, later, SLOW_STEP)
        self.now += 3600.0
        later.callback("x")
        self.assertEqual(self.successResultOf(done), ["x"])
        self.assertEqual(self.told, [])

    def test_failures(self) -> None:
        """Errors pass in both directions, as if nobody looked; a slow one is told all the same."""

        async def catches() -> str:
            try:
                await fail(KeyError("in"))
            except KeyError as error:
                self.now += 9.0
                raise ValueError(f"out, after {error}") from None
            return "?"

        error = self.failureResultOf(self.run_it(catches), ValueError)
        self.assertEqual(str(error.value), "out, after 'in'")
        self.assertEqual(len(self.told), 1)

    def test_cancelled(self) -> None:
        """It can be cancelled, and clean up."""
        done = self.run_it(self.waits)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.ended, ["cleaned up"])

    def test_forgotten(self) -> None:
        """One that nobody goes on with is closed."""
        coroutine = steps._timed(self.waits, self.waits())
        coroutine.send(None)
        coroutine.close()
        self.assertEqual(self.ended, ["cleaned up"])
