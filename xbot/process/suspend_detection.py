"""Suspend detection by a heartbeat: whether the process stood still, and for how long.

SIGSTOP, a debugger, a laptop's sleep, a virtual machine's snapshot, or a call that
held the reactor: whichever it was, the reactor did not turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

#: Whoever was away for longer, in seconds, does not obey what was said meanwhile.
LIMIT = 10.0

#: Seconds between two beats. So much earlier than after the limit may count as away.
BEAT = 2.0


class Heartbeat:
    """Beats between :meth:`start` and :meth:`stop`, and tells ``woke`` for how long it did not.

    ``elapsed`` is a clock that sleep does not stop (:mod:`xbot.process.uptime`); ``clock`` is the
    reactor's, which may.
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
        """From now on."""
        self._turned = self._elapsed()
        if self._call is None:
            self._call = self._clock.callLater(BEAT, self._beat)

    def stop(self) -> None:
        """Not any more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def look(self) -> float:
        """What the clock says now. After too long without a turn, ``woke(seconds)`` first.

        To be asked before anything that came from outside is dealt with: after a stop it may be
        read before any timer rings.
        """
        now = self._elapsed()
        away, self._turned = now - self._turned, now
        if away > LIMIT and self._call is not None:
            self._woke(away)
        return now

    def _beat(self) -> None:
        self._call = self._clock.callLater(BEAT, self._beat)
        self.look()
