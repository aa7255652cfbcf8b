"""Status report of the XMPP connection and its rooms, as values of xbot.model.status."""

from __future__ import annotations

from collections.abc import Container

from attrs import evolve

from xbot.chat.xmpp.adapter import XmppAdapter
from xbot.chat.xmpp.rooms.room import Room
from xbot.chat.xmpp.stream.connection import State
from xbot.model.jid import Jid
from xbot.model.status import Link, Place


def link(adapter: XmppAdapter, now: float) -> Link:
    """The status of the connection; ``now`` is the adapter's clock."""
    status, deadline = adapter.connection.status, adapter.deadline
    return Link(
        status.state.value,
        now - status.since,
        status.last_error,
        _from_now(status.next_try, now),
        0.0 if deadline is None else max(0.0, now - deadline),
        adapter.ping.round_trip,
        adapter.managed.resumptions,
        adapter.managed.unacknowledged,
        dict(adapter.connection.ends),
        dict(adapter.freshness.counts),
        adapter.connection.lost,
    )


def places(
    adapter: XmppAdapter, now: float, named: Container[Jid] | None = None
) -> tuple[Place, ...]:
    """The status of each room; ``named`` are the rooms of the ini (None: all rooms are).

    Without a connection no room is joined: one that may be so again is stale.
    """
    places = tuple(_place(room, now, named is None or room.jid in named) for room in adapter.rooms)
    link = adapter.connection.status
    if link.state is State.ONLINE:
        return places
    return tuple(_stale(each, now - link.since) if each.is_joined else each for each in places)


def _stale(place: Place, seconds: float) -> Place:
    return evolve(place, state="stale", reason="no connection", seconds=seconds)


def _place(room: Room, now: float, is_named: bool) -> Place:
    status = room.status
    return Place(
        str(room.jid),
        room.nick,
        status.state.value,
        status.reason,
        now - status.since,
        _from_now(status.next_try, now),
        is_named,
        room.voice.problem,
    )


def _from_now(then: float | None, now: float) -> float | None:
    return None if then is None else max(0.0, then - now)
