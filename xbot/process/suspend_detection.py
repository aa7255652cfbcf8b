"""Suspend detection by a heartbeat: whether the reactor stood still, and for how long.

Possible causes: SIGSTOP, a debugger, a laptop's sleep, a virtual machine's snapshot, or a
call that blocked the reactor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

#: Seconds. After a longer standstill, messages sent meanwhile are not obeyed.
LIMIT = 10.0

#: Seconds between two beats; also the inaccuracy: a standstill of LIMIT - BEAT may count.
BEAT = 2.0


class Heartbeat:
    """Calls ``woke(seconds)`` after a standstill longer than :data:`LIMIT`.

    ``elapsed`` is a clock that also runs during sleep (:mod:`xbot.process.uptime`);
    ``clock`` is the reactor, which may stand still then.
    """

    def __init__(
        self, clock: Any, elapsed: Callable[[], float], woke: Callable[[float], object]
    ) -> None:
        self._clock = clock
        self._elapsed = elapsed
        self._woke = woke
        self._turned = elapsed()
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        self._turned = self._elapsed()
        if self._call is None:
            self._call = self._clock.callLater(BEAT, self._beat)

    def stop(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def look(self) -> float:
        """The time now, by ``elapsed``; after a standstill it calls ``woke(seconds)`` first.

        Call this before handling anything from outside: after a standstill the reactor
        may read data before any timer fires.
        """
        now = self._elapsed()
        away, self._turned = now - self._turned, now
        if away > LIMIT and self._call is not None:
            self._woke(away)
        return now

    def _beat(self) -> None:
        self._call = self._clock.callLater(BEAT, self._beat)
        self.look()
