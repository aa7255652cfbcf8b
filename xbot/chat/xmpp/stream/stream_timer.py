"""One thing that is to happen later, and never while the stream is down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

#: Seconds after a resumption for what the server kept for us to arrive, before
#: a wait that ended meanwhile is taken to have been in vain.
GRACE = 5.0


class StreamTimer:
    """Rings once, ``seconds`` after it was set, unless it is set anew or stopped.

    While ``is_connected()`` is false nothing can be sent nor come in, or what came is
    not read yet: an alarm that is due then waits for :meth:`resumed`.
    """

    def __init__(self, clock: Any, is_connected: Callable[[], bool]) -> None:
        self._clock = clock
        self._is_connected = is_connected
        self._call: IDelayedCall | None = None
        self._overdue: Callable[[], None] | None = None

    def set(self, seconds: float, ring: Callable[[], None]) -> None:
        """Ring after so many seconds, and not when it was set to before."""
        self.stop()
        self._call = self._clock.callLater(seconds, self._due, ring)

    def stop(self) -> None:
        """Do not ring."""
        if self._call is not None:
            self._call.cancel()
        self._call = self._overdue = None

    def resumed(self) -> None:
        """There is a stream again, in the same session."""
        if self._overdue is not None:
            self.set(GRACE, self._overdue)

    @property
    def is_connected(self) -> bool:
        """Whether it would ring now."""
        return self._is_connected()

    @property
    def at(self) -> float | None:
        """When it rings, in the clock's seconds, if that is known."""
        return self._call.getTime() if self._call is not None else None

    def _due(self, ring: Callable[[], None]) -> None:
        self._call = None
        if self._is_connected():
            ring()
        else:
            self._overdue = ring
