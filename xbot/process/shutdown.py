"""Shutdown time-outs: how long the bot waits for each part before it leaves anyway."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger

#: Time limit for sending pending answers when the bot stops, in seconds.
DRAIN_TIMEOUT = 10.0

#: The same when another connection follows, which sends the rest.
HAND_OVER_TIMEOUT = 5.0

#: Time limit for stopping all responders together, in seconds.
CLOSE_TIMEOUT = 10.0

#: Time limit for a cancelled child program to end, in seconds.
WIND_DOWN_TIMEOUT = 5.0

_log = Logger("xbot")


async def within(clock: Any, seconds: float, ending: Deferred[Any], otherwise: str) -> bool:
    """Wait for ``ending`` with a time-out; return whether it fired, else log ``otherwise``."""
    try:
        await ending.addTimeout(seconds, clock)
    except TimeoutError:
        _log.warn("{otherwise}; shutting down anyway", otherwise=otherwise)
        return False
    return True
