"""Time that passes for what is remembered: while we run, and between two processes.

A wall clock jumps (at the first NTP answer, by hand, by ten years); nothing
may expire for that. While the machine is up its uptime, sleep included, tells
how much time has passed, also from one process to the next. From one boot to
the next there is the wall clock alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from xbot.process.uptime import uptime

#: What two wall clock readings may differ by to be believed, in seconds.
LONGEST_GAP = 366 * 86400.0

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Moment(NamedTuple):
    """A reading of all clocks. ``boot`` names the one that ``uptime`` counts from, or is empty."""

    boot: str
    uptime: float
    wall: float


class Clocks(NamedTuple):
    """This machine's clocks."""

    boot: str
    uptime: Callable[[], float]
    wall: Callable[[], float]

    def read(self) -> Moment:
        """What they say now."""
        return Moment(self.boot, self.uptime(), self.wall())


def clocks() -> Clocks:
    """Those of the machine that we are on."""
    try:
        boot = _BOOT_ID.read_text().strip()
    except OSError:
        boot = ""
    return Clocks(boot, uptime, time.time)


def elapsed(before: Moment, now: Moment) -> float:
    """Seconds from ``before`` to ``now``.

    In the same boot they are exact. Otherwise the wall clock tells, and where
    it went backwards, or further ahead than a bot is away
    (:data:`LONGEST_GAP`), it has jumped, and no time counts as passed.
    """
    if before.boot and before.boot == now.boot and now.uptime >= before.uptime:
        return now.uptime - before.uptime
    gap = now.wall - before.wall
    return gap if 0 <= gap <= LONGEST_GAP else 0.0
