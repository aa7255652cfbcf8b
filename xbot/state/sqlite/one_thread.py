"""Single-thread executor: runs blocking functions one after another in a daemon thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

T = TypeVar("T")


class RunsInOrder(Protocol):
    """Interface of :class:`OneThread`; tests pass a synchronous implementation."""

    def __call__(self, function: Callable[..., T], /, *args: Any) -> Deferred[T]: ...

    def stop(self) -> None: ...


class OneThread:
    """Runs functions in FIFO order in one daemon thread, which starts with the first call.

    A function that blocks forever stops neither the reactor nor the exit of the process.
    """

    def __init__(self, reactor: IReactorFromThreads, name: str) -> None:
        self._reactor = reactor
        self._name = name
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._is_started = False

    def __call__(self, function: Callable[..., T], /, *args: Any) -> Deferred[T]:
        """Queue ``function(*args)``. Fires on the reactor with its result or failure."""
        if not self._is_started:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
            self._is_started = True
        result: Deferred[T] = Deferred()

        def job() -> None:
            outcome: T | Failure
            try:
                outcome = function(*args)
            except BaseException:
                outcome = Failure()
            self._reactor.callFromThread(result.callback, outcome)

        self._jobs.put(job)
        return result

    def stop(self) -> None:
        """End the thread after the functions that are queued."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
