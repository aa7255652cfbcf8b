"""StreamTimer: a one-shot timer that does not fire while the stream is down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

#: Seconds after a resumption before an overdue timer fires, so that stanzas that
#: the server kept for us can arrive first.
GRACE = 5.0


class StreamTimer:
    """Fires once, ``seconds`` after :meth:`set`, unless it is set again or stopped.

    While ``is_connected()`` is false, nothing can be sent or read: a timer that is due
    then waits for :meth:`resumed`.
    """

    def __init__(self, clock: Any, is_connected: Callable[[], bool]) -> None:
        self._clock = clock
        self._is_connected = is_connected
        self._call: IDelayedCall | None = None
        self._overdue: Callable[[], None] | None = None

    def set(self, seconds: float, ring: Callable[[], None]) -> None:
        """Call ``ring()`` after ``seconds``; replaces an earlier setting."""
        self.stop()
        self._call = self._clock.callLater(seconds, self._due, ring)

    def stop(self) -> None:
        """Cancel the timer."""
        if self._call is not None:
            self._call.cancel()
        self._call = self._overdue = None

    def resumed(self) -> None:
        """The session was resumed on another stream: an overdue timer fires after GRACE."""
        if self._overdue is not None:
            self.set(GRACE, self._overdue)

    @property
    def is_connected(self) -> bool:
        """Whether the timer could fire now."""
        return self._is_connected()

    @property
    def at(self) -> float | None:
        """When the timer is due, in the clock's seconds; None if it is not running."""
        return self._call.getTime() if self._call is not None else None

    def _due(self, ring: Callable[[], None]) -> None:
        self._call = None
        if self._is_connected():
            ring()
        else:
            self._overdue = ring
