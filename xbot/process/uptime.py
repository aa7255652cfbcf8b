"""The machine's uptime, sleep included (CLOCK_BOOTTIME), and what stands in for it elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

if hasattr(time, "CLOCK_BOOTTIME"):
    HAS_BOOTTIME = True

    def uptime() -> float:
        """Seconds since the boot, those included in which the machine slept."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:
    # COMPAT: systems without it stop this one while they sleep.
    HAS_BOOTTIME = False
    uptime = time.monotonic


class Elapsed:
    """Elapsed time by two clocks: between two readings, what the faster of both says has passed.

    One of them may stand still while the machine sleeps, and the other be set back:
    then the other one tells. A clock that is set ahead counts as time that passed.
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
        """Seconds since this was made."""
        before, self._read = self._read, (self._one(), self._other())
        self._passed += max(0.0, self._read[0] - before[0], self._read[1] - before[1])
        return self._passed


def elapsed_clock() -> Callable[[], float]:
    """Seconds that no sleep of the machine stops; not to wait by, for they may run ahead."""
    return uptime if HAS_BOOTTIME else Elapsed()
