"""Uptime of the machine including sleep (CLOCK_BOOTTIME), with a substitute for other systems."""

from __future__ import annotations

import time
from collections.abc import Callable

if hasattr(time, "CLOCK_BOOTTIME"):
    HAS_BOOTTIME = True

    def uptime() -> float:
        """Seconds since the machine booted, including sleep."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:
    # COMPAT: on systems without CLOCK_BOOTTIME this clock stands still during sleep.
    HAS_BOOTTIME = False
    uptime = time.monotonic


class Elapsed:
    """Elapsed time by two clocks: between two readings, the larger of both differences.

    The monotonic clock may stand still during sleep, and the wall clock may be set
    back; the maximum is right in both cases. A wall clock that is set ahead counts as
    time that passed.
    """

    def __init__(
        self,
        one: Callable[[], float] = time.monotonic,
        other: Callable[[], float] = time.time,
    ) -> None:
        self._one = one
        self._other = other
        self._read = one(), other()
        self._passed = 0.0

    def __call__(self) -> float:
        """Seconds since this object was made."""
        before, self._read = self._read, (self._one(), self._other())
        self._passed += max(0.0, self._read[0] - before[0], self._read[1] - before[1])
        return self._passed


def elapsed_clock() -> Callable[[], float]:
    """A clock in seconds that includes sleep; not for timers, since it may run ahead."""
    return uptime if HAS_BOOTTIME else Elapsed()
