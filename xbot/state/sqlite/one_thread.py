"""One daemon thread for what must happen one after the other, and may block."""

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
    """What :class:`OneThread` is to those who use it; tests bring simpler ones."""

    def __call__(self, function: Callable[..., T], /, *args: Any) -> Deferred[T]: ...

    def stop(self) -> None: ...


class OneThread:
    """Runs functions in order, in a thread of its own that starts with the first of them.

    A function that blocks for good keeps neither the reactor nor the process.
    """

    def __init__(self, reactor: IReactorFromThreads, name: str) -> None:
        self._reactor = reactor
        self._name = name
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._is_started = False

    def __call__(self, function: Callable[..., T], /, *args: Any) -> Deferred[T]:
        """The result of ``function(*args)``, later."""
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
        """End the thread after what it has been given."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
