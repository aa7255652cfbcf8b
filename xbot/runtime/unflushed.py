"""How much of what one responder remembers is not durable yet."""

from __future__ import annotations

import threading
from collections.abc import Callable

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure


class Unflushed:
    """True while something of it may not be durable.

    ``flushed`` fires once all that was remembered before is; ``name`` is the responder's.
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
        """It remembers something else now. For any thread."""
        with self._lock:
            self._writes += 1

    def saved(self) -> Deferred[str] | None:
        """None when all that it remembers is saved; else fires, once it is, with nothing.

        Or with why it could not be saved. Never fails.
        """
        if not self:
            return None
        writes = self._writes

        def done(problem: str) -> str:
            # What could not be saved is tried again by the brain; that is told once.
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
