"""Debounce and serialise reloads: one at a time, requests meanwhile coalesce into one more."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

#: Debounce interval in seconds: requests within it coalesce into one reload.
SETTLE = 0.1


class ReloadQueue:
    """Runs ``work`` on request, between :meth:`begin` and :meth:`end`.

    Requests while it runs coalesce into one more run; requests before
    :meth:`begin` wait for it.
    """

    _log = Logger("xbot")

    def __init__(self, clock: Any, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._clock = clock
        self._work = work
        self._is_open = False
        self._is_over = False
        self._is_at_work = False
        self._soon: IDelayedCall | None = None
        self._waiting: list[Deferred[None]] = []

    def ask(self) -> Deferred[None]:
        """Request a run; fires, and never fails, once it or the queue has ended."""
        if self._is_over:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        self._begin_soon()
        return done

    def begin(self) -> None:
        """Allow runs from now on, and start one if it was requested."""
        self._is_open, self._is_over = True, False
        self._begin_soon()

    def end(self) -> None:
        """Allow no more runs, and fire all requests; a run under way goes on."""
        self._is_open, self._is_over = False, True
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        self._tell(self._take())

    def _begin_soon(self) -> None:
        if self._is_open and self._waiting and not self._is_at_work and self._soon is None:
            self._soon = self._clock.callLater(SETTLE, self._begin)

    def _begin(self) -> None:
        self._soon = None
        self._is_at_work = True
        asked = self._take()
        work = Deferred.fromCoroutine(self._work())
        work.addErrback(self._got_bug)
        work.addCallback(lambda _: self._got_end(asked))

    def _got_bug(self, failure: Failure) -> None:
        self._log.failure("internal error in the reload", failure)

    def _got_end(self, asked: list[Deferred[None]]) -> None:
        self._is_at_work = False
        self._tell(asked)
        self._begin_soon()

    def _take(self) -> list[Deferred[None]]:
        asked, self._waiting = self._waiting, []
        return asked

    @staticmethod
    def _tell(asked: list[Deferred[None]]) -> None:
        for done in asked:
            done.callback(None)
