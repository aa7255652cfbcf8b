"""Blocking functions in daemon threads: a stuck one delays neither the reactor nor the exit."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

from xbot.model.errors import XbotError
from xbot.model.fair_share import may_have_more

T = TypeVar("T")


class Busy(XbotError):
    """Too many threads are at work to start another. Try again later."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} threads are at work already")
        self.limit = limit


class NotStarted(Busy):
    """No thread was free for a run: nothing of its code has been executed, so it may wait."""


class RunsInThread(Protocol):
    """The interface of :class:`InThread`; tests use simpler implementations."""

    def __call__(
        self,
        function: Callable[..., T],
        /,
        *args: Any,
        cancel: Callable[[], T | None] | None = None,
        at_once: int | None = None,
        owner: str | None = None,
    ) -> Deferred[T]:
        """Run ``function(*args)``; ``cancel`` is called when the Deferred is cancelled.

        ``at_once`` limits the number of threads for this function. All functions of one
        ``owner`` share that owner's fair share of the threads.
        """


class InThread:
    """Runs each function in a daemon thread of its own; make one per process.

    At most ``limit`` threads are alive at once, and at most ``limit_each`` (or
    ``at_once``) with the same function (equal objects), so that a function that is stuck
    for good leaves threads to the others; one ``owner`` may hold its fair share
    (:mod:`xbot.model.fair_share`). There is no pool to join: Twisted's thread pool would
    keep the process from exiting for as long as one function blocks.
    """

    _log = Logger()

    def __init__(self, reactor: IReactorFromThreads, limit: int = 64, limit_each: int = 4) -> None:
        self._reactor = reactor
        self._limit = limit
        self._limit_each = limit_each
        self._alive: Counter[Callable[..., object]] = Counter()
        self._alive_of: Counter[str] = Counter()
        self._asked_to_stop = 0
        self._winding_down: list[Deferred[None]] = []

    def __call__(
        self,
        function: Callable[..., T],
        /,
        *args: Any,
        cancel: Callable[[], T | None] | None = None,
        at_once: int | None = None,
        owner: str | None = None,
    ) -> Deferred[T]:
        """Run ``function(*args)``; fires with its result, or fails with :class:`Busy` at a limit.

        Cancelling the Deferred calls ``cancel``, which may tell the function to
        stop; the function's result is ignored then. What ``cancel`` returns, if it is not
        None, is the result so far: the Deferred fires with it instead of failing.
        """
        alive = self._alive.total()
        if alive >= self._limit:
            return fail(Busy(self._limit))
        if owner is not None and not may_have_more(self._alive_of[owner], alive, self._limit):
            return fail(Busy(self._alive_of[owner]))
        limit = self._limit_each if at_once is None else at_once
        if self._alive[function] >= limit:
            return fail(Busy(limit))
        was_asked_to_stop = False
        # The thread inherits the context variables: it belongs to the same responder.
        context = copy_context()

        def ask_to_stop(_: Deferred[T]) -> None:
            nonlocal was_asked_to_stop
            if cancel is not None:
                was_asked_to_stop = True
                self._asked_to_stop += 1
                if (so_far := cancel()) is not None:
                    result.callback(so_far)

        def work() -> None:
            outcome: T | Failure
            try:
                outcome = context.run(function, *args)
            except BaseException:
                outcome = Failure()
            self._reactor.callFromThread(ended, outcome)

        def ended(outcome: T | Failure) -> None:
            self._alive -= Counter([function])
            if owner is not None:
                self._alive_of -= Counter([owner])
            if not result.called:
                result.callback(outcome)
            elif isinstance(outcome, Failure):
                # Not logged as a Failure: observers treat any event with one as an error.
                self._log.debug(
                    "failed after it was cancelled: {traceback}", traceback=outcome.getTraceback()
                )
            if was_asked_to_stop:
                self._asked_to_stop -= 1
                self._tell_whether_wound_down()

        result: Deferred[T] = Deferred(ask_to_stop)
        try:
            threading.Thread(target=work, name="xbot responder", daemon=True).start()
        except RuntimeError:
            return fail(Busy(self._alive.total()))
        self._alive[function] += 1
        if owner is not None:
            self._alive_of[owner] += 1
        return result

    def wind_down(self) -> Deferred[None]:
        """Fires once all cancelled functions have returned.

        It does not wait for functions without ``cancel``.
        """
        if not self._asked_to_stop:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._winding_down.append(waiting)
        return waiting

    def _tell_whether_wound_down(self) -> None:
        if not self._asked_to_stop:
            waiting, self._winding_down = self._winding_down, []
            for deferred in waiting:
                deferred.callback(None)
