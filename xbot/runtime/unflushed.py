"""Dirty counter: whether one responder has brain writes that are not durable yet."""

from __future__ import annotations

import threading
from collections.abc import Callable

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure


class Unflushed:
    """True while writes of the responder ``name`` may not be durable.

    ``flushed()`` fires once all writes made before the call are durable.
    """

    _log = Logger()

    def __init__(self, name: str, flushed: Callable[[], Deferred[None]]) -> None:
        self._name = name
        self._flushed = flushed
        self._lock = threading.Lock()
        self._writes = 0
        self._saved_writes = 0

    def __bool__(self) -> bool:
        return self._writes != self._saved_writes

    def got_write(self) -> None:
        """Count one write. Thread-safe."""
        with self._lock:
            self._writes += 1

    def saved(self) -> Deferred[str] | None:
        """None if everything is durable; else a Deferred that fires when saving is over.

        It fires with an empty str, or with the reason why saving failed. It never fails.
        """
        if not self:
            return None
        writes = self._writes

        def done(problem: str) -> str:
            # Also after a failure: the brain retries, and the sender is told only once.
            self._saved_writes = max(self._saved_writes, writes)
            return problem

        flushed = maybeDeferred(self._flushed)
        return flushed.addCallbacks(lambda _: "", self._got_failure).addCallback(done)

    def _got_failure(self, failure: Failure) -> str:
        self._log.warn(
            "what {responder} remembers is not saved: {reason}",
            responder=self._name,
            reason=failure.getErrorMessage(),
        )
        return failure.getErrorMessage()
