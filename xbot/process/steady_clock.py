"""A reactor's clock that does not jump with the wall's, and that no sleep of the machine stops."""

from __future__ import annotations

from typing import Any

from xbot.process.uptime import uptime


def make_steady(reactor: Any) -> bool:
    """Have ``reactor`` count by the machine's uptime from now on; whether it does.

    COMPAT: Twisted's counts by :func:`time.time`. Once that is set back by an
    hour, nothing that waits happens for an hour: no ping, no reconnection. A
    reactor with something to wait for stays as it is, for that was reckoned by
    the other clock.

    The uptime counts while the machine sleeps, as people do: a question that was asked
    before that is not answered after its time.
    """
    if reactor.getDelayedCalls():
        return False
    reactor.seconds = uptime
    return True
