"""Clock for expiry of stored values: elapsed time across processes and reboots.

A wall clock jumps (at the first NTP answer, by hand, by ten years); values must
not expire because of that. Within one boot the machine's uptime (sleep included)
measures the time, also from one process to the next. Across a reboot only the
wall clock can.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from xbot.process.uptime import uptime

#: Maximum plausible difference of two wall clock readings, in seconds.
LONGEST_GAP = 366 * 86400.0

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Moment(NamedTuple):
    """One reading of all clocks. ``boot`` is the id of the boot, or empty if unknown."""

    boot: str
    uptime: float
    wall: float


class Clocks(NamedTuple):
    """This machine's clocks."""

    boot: str
    uptime: Callable[[], float]
    wall: Callable[[], float]

    def read(self) -> Moment:
        """Read all clocks."""
        return Moment(self.boot, self.uptime(), self.wall())


def clocks() -> Clocks:
    """The clocks of this machine."""
    try:
        boot = _BOOT_ID.read_text().strip()
    except OSError:
        boot = ""
    return Clocks(boot, uptime, time.time)


def elapsed(before: Moment, now: Moment) -> float:
    """Seconds from ``before`` to ``now``.

    Within one boot the result is exact. Otherwise the wall clock decides; if it went
    backwards, or ahead by more than :data:`LONGEST_GAP`, it has jumped, and the result
    is 0.
    """
    if before.boot and before.boot == now.boot and now.uptime >= before.uptime:
        return now.uptime - before.uptime
    gap = now.wall - before.wall
    return gap if 0 <= gap <= LONGEST_GAP else 0.0
