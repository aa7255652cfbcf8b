"""Monotonic reactor clock: it ignores changes of the wall clock, and includes sleep."""

from __future__ import annotations

from typing import Any

from xbot.process.uptime import uptime


def make_steady(reactor: Any) -> bool:
    """Make ``reactor`` use the machine's uptime as its clock; return whether it does.

    COMPAT: Twisted's reactor uses :func:`time.time`. When that is set back by an
    hour, no timer fires for an hour: no ping, no reconnection. A reactor that has
    timers already keeps its clock, because they were computed by it.

    The uptime includes sleep, so that time-outs (of a question, say) also run out
    during sleep.
    """
    if reactor.getDelayedCalls():
        return False
    reactor.seconds = uptime
    return True
