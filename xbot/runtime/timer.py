"""Timer: call a function periodically, without overlap, and survive its failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from xbot.model.errors import XbotError
from xbot.text.durations import shown


class StillAtWork(XbotError):
    """The previous call has not ended; this one is skipped."""


class Timer:
    """Calls ``work`` every ``period`` seconds, with a time-out of ``limit`` seconds.

    The first call is after one period, or at once with ``at_start``. Calls do not
    overlap: while one is running the next is skipped. A failure is logged, with the
    traceback if the call before succeeded, and does not stop the timer.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        period: float,
        work: Callable[[], Deferred[object]],
        limit: float,
        clock: Any,
        *,
        at_start: bool = False,
    ) -> None:
        self._name = name
        self._period = period
        self._work = work
        self._limit = limit
        self._clock = clock
        self._at_start = at_start
        self._next: IDelayedCall | None = None
        self._at_work: Deferred[object] | None = None
        self._begun = 0.0
        self._has_failed = False
        self._is_stuck = False
        self._is_stopped = False

    def start(self) -> None:
        if self._at_start:
            self._tick()
        else:
            self._next = self._clock.callLater(self._period, self._tick)

    def stop(self) -> None:
        """Stop the timer, and cancel the running call."""
        self._is_stopped = True
        if self._next is not None and self._next.active():
            self._next.cancel()
        if self._at_work is not None:
            self._at_work.cancel()

    def _tick(self) -> None:
        """Call the function, unless the previous call still runs; schedule the next tick."""
        self._next = self._clock.callLater(self._period, self._tick)
        if self._at_work is not None:
            if self._clock.seconds() - self._begun > self._limit:
                self._got_stuck()
            return
        self._begun = self._clock.seconds()
        at_work = self._at_work = maybeDeferred(self._work)
        at_work.addTimeout(self._limit, self._clock)
        at_work.addCallbacks(self._got_done, self._got_failure)

    def _got_done(self, _: object) -> None:
        self._at_work = None
        self._has_failed = self._is_stuck = False

    def _got_stuck(self) -> None:
        # The call ignores cancellation, or runs in a thread, which cannot be stopped.
        if not self._is_stuck:
            self._is_stuck = True
            self._log.error(
                "{name} still runs after its time limit; skipped until it ends", name=self._name
            )

    def _got_failure(self, failure: Failure) -> None:
        """Log a failure: a traceback for the first in a row, then one line each."""
        self._at_work = None
        if self._is_stopped:
            return
        if failure.check(StillAtWork):
            self._got_stuck()
        elif failure.check(TimeoutError):
            limit = shown(self._limit)
            self._log.warn("{name} did not finish within {limit}", name=self._name, limit=limit)
        elif self._has_failed:
            reason = failure.getErrorMessage()
            self._log.error("{name} failed again: {reason}", name=self._name, reason=reason)
        else:
            self._has_failed = True
            self._log.failure("{name} failed", failure, LogLevel.error, name=self._name)
