"""Reload plan: the difference between two configurations. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from attrs import AttrsInstance, evolve, fields, frozen

from xbot.config.options import KINDS
from xbot.config.settings import Config, ResponderSettings, RoomSettings
from xbot.model.jid import Jid

#: Options of ``[xmpp]`` that can change without a new connection.
_LIVE = frozenset(
    {
        "ping_interval",
        "ping_timeout",
        "room_ping_interval",
        "resume_max_age",
        "reconnect_max",
        "accept_invites",
        "subscriptions",
        "subscribers",
    }
)

#: Options of ``[xbot]`` that need a restart.
_FIXED = frozenset({"state"})

#: The options of attributes with other names.
_OPTIONS = {each.attribute: each.name for kind in KINDS for each in kind.options}
_OPTIONS["subscribers"] = "subscriptions"


@frozen
class Plan:
    """The changes of a reload: rooms in the ini's order, responders and options by name.

    ``join`` and ``change`` hold the new settings, ``leave`` bare JIDs.
    ``nicks`` is the number of rooms with a changed nick. ``reload`` names unchanged
    Python responders, whose code is read again in any case. ``account`` are changed
    options that need a new connection, ``restart`` those that need a restart, and
    ``options`` all others.
    """

    join: tuple[RoomSettings, ...] = ()
    leave: tuple[Jid, ...] = ()
    change: tuple[RoomSettings, ...] = ()
    nicks: int = 0
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    modify: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    account: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"join +{len(self.join)}", f"leave -{len(self.leave)}", f"nick {self.nicks}"]
        if others := len(self.change) - self.nicks:
            parts.append(f"room settings {others}")
        parts.append(f"responders +{len(self.add)} -{len(self.remove)} ~{len(self.modify)}")
        if self.reload:
            parts.append(f"fresh code {len(self.reload)}")
        if self.options:
            parts.append(f"options {' '.join(self.options)}")
        if self.restart:
            parts.append(f"needs a restart: {' '.join(self.restart)}")
        changed = f"changed ({' '.join(self.account)})" if self.account else "unchanged"
        return ", ".join([*parts, f"account {changed}"])

    def details(self) -> Iterator[str]:
        """One line per change, without secrets."""
        yield from (f"join {room.jid} as {room.nick}" for room in self.join)
        yield from (f"leave {jid}" for jid in self.leave)
        yield from (f"change {room.jid}, there as {room.nick}" for room in self.change)
        yield from (f"add responder {name}" for name in self.add)
        yield from (f"remove responder {name}" for name in self.remove)
        yield from (f"change responder {name}" for name in self.modify)
        yield from (f"read the code of {name} again" for name in self.reload)


def plan(old: Config, new: Config, files: Collection[str] = ()) -> Plan:
    """The plan for a reload from ``old`` to ``new``.

    ``files`` names options of ``[xmpp]`` (``ca-file``) whose files have changed; the
    configurations hold only their paths.
    """
    before = {room.jid: room for room in old.rooms}
    after = {room.jid: room for room in new.rooms}
    change = [room for jid, room in after.items() if jid in before and room != before[jid]]
    had = {responder.name: responder for responder in old.responders}
    have = {responder.name: responder for responder in new.responders}
    modify = [
        name for name in have if name in had and not _is_same_responder(had[name], have[name])
    ]
    xmpp = _differing(old.xmpp, new.xmpp)
    bot = _differing(old.bot, new.bot)
    http = [name for name in ("http", "webhooks") if getattr(old, name) != getattr(new, name)]
    return Plan(
        join=tuple(room for jid, room in after.items() if jid not in before),
        leave=tuple(jid for jid in before if jid not in after),
        change=tuple(change),
        nicks=sum(room.nick != before[room.jid].nick for room in change),
        add=tuple(name for name in have if name not in had),
        remove=tuple(name for name in had if name not in have),
        modify=tuple(modify),
        reload=tuple(
            name
            for name, responder in have.items()
            if name in had and name not in modify and _has_fresh_code(responder)
        ),
        account=_named([*(xmpp - _LIVE), *files]),
        options=_named([*(bot - _FIXED), *(xmpp & _LIVE), *http]),
        restart=_named(bot & _FIXED),
    )


def _has_fresh_code(responder: ResponderSettings) -> bool:
    # Bundled code is not read again.
    return responder.file is not None or bool(
        responder.use and not responder.use.startswith("xbot.")
    )


def _is_same_responder(old: ResponderSettings, new: ResponderSettings) -> bool:
    # Ignore its position in the ini.
    return evolve(old, path=new.path, line=new.line) == new


def _differing(old: AttrsInstance, new: AttrsInstance) -> set[str]:
    names = (each.name for each in fields(type(new)))
    return {name for name in names if getattr(old, name) != getattr(new, name)}


def _named(names: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted({_OPTIONS.get(name, name.replace("_", "-")) for name in names}))
