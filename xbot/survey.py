"""Looking at the parts: how the bot is at this moment."""

from __future__ import annotations

from xbot.overview import Link, Overview, Phase, Place
from xbot.xmpp.adapter import XmppAdapter
from xbot.xmpp.room import Room


def survey(phase: Phase, adapter: XmppAdapter, now: float) -> Overview:
    """An overview, ``now`` on the adapter's clock."""
    return Overview(phase, _link(adapter, now), tuple(_place(room, now) for room in adapter.rooms))


def _link(adapter: XmppAdapter, now: float) -> Link:
    status, deadline = adapter.connection.status, adapter.deadline
    return Link(
        status.state.value,
        now - status.since,
        status.last_error,
        _from_now(status.next_try, now),
        0.0 if deadline is None else max(0.0, now - deadline),
    )


def _place(room: Room, now: float) -> Place:
    status = room.status
    return Place(
        str(room.jid),
        room.nick,
        status.state.value,
        status.reason,
        now - status.since,
        _from_now(status.next_try, now),
    )


def _from_now(then: float | None, now: float) -> float | None:
    return None if then is None else max(0.0, then - now)
