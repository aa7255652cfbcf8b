"""How long the end of things is waited for: nothing keeps a bot from leaving."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger

#: Seconds that the answers under way have to leave when we do.
DRAIN_TIMEOUT = 10.0

#: Seconds that they have when another connection follows, which says what is left.
HAND_OVER_TIMEOUT = 5.0

#: Seconds that the responders have to stop, all together.
CLOSE_TIMEOUT = 10.0

#: Seconds that a program has to end once it was told to.
WIND_DOWN_TIMEOUT = 5.0

_log = Logger("xbot")


async def within(clock: Any, seconds: float, ending: Deferred[Any], otherwise: str) -> bool:
    """Wait for ``ending``; gives whether it came in time, and logs ``otherwise`` if not."""
    try:
        await ending.addTimeout(seconds, clock)
    except TimeoutError:
        _log.warn("{otherwise}; leaving all the same", otherwise=otherwise)
        return False
    return True
