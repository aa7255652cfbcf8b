"""A reactor's clock that does not jump when somebody sets the wall's."""

from __future__ import annotations

import time
from typing import Any


def make_steady(reactor: Any) -> bool:
    """Have ``reactor`` count by the monotonic clock from now on; whether it does.

    COMPAT: Twisted's counts by :func:`time.time`. Once that is set back by an
    hour, nothing that waits happens for an hour: no ping, no reconnection. A
    reactor with something to wait for stays as it is, for that was reckoned by
    the other clock.
    """
    if reactor.getDelayedCalls():
        return False
    reactor.seconds = time.monotonic
    return True
