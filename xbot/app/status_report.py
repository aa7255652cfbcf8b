"""Looking at the parts: how the bot is at this moment."""

from __future__ import annotations

from collections.abc import Container

from xbot.chat.xmpp.adapter import XmppAdapter
from xbot.chat.xmpp.rooms.room import Room
from xbot.engine.dispatch.runs import Run
from xbot.model.jid import Jid
from xbot.model.recent_events import MAX_NAME, Command
from xbot.model.status import Link, Overview, Phase, Place, Skill
from xbot.runtime.responder import Responder


def survey(
    phase: Phase, adapter: XmppAdapter, now: float, named: Container[Jid] | None = None
) -> Overview:
    """An overview of the connection and the rooms, ``now`` on the adapter's clock.

    ``named`` are the rooms of the ini, all of them when it is None.
    """
    rooms = tuple(_place(room, now, named is None or room.jid in named) for room in adapter.rooms)
    return Overview(phase, _link(adapter, now), rooms, jid=str(adapter.jid or ""))


def skill(responder: Responder) -> Skill:
    """What people may know of a responder: its first command stands for all."""
    route = next((route for route in responder.routes if route.usage), responder.routes[0])
    return Skill(responder.name, route.usage, route.help, responder.has_effects)


def command(run: Run, when: float, now: float) -> Command:
    """A run that is over, ``when`` being the time of day and ``now`` the clock's."""
    message = run.message
    return Command(
        when,
        run.responder.name,
        (message.nick or message.sender)[:MAX_NAME],
        (message.room or "")[:MAX_NAME],
        str(run.fate),
        None if run.began is None else max(0.0, now - run.began),
    )


def _link(adapter: XmppAdapter, now: float) -> Link:
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
    )


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
    )


def _from_now(then: float | None, now: float) -> float | None:
    return None if then is None else max(0.0, then - now)
