"""Table of who may use which responder, where, and what is asked before, for ``xbot check``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xbot.config.settings import Config, ResponderSettings
from xbot.model.access import ROOM_WORDS, AccessList

#: Maximum number of names in one cell; the ini has the others.
MAX_NAMES = 4

_HEADINGS = ("responder", "who may use it", "where", "before it runs")


def permissions(config: Config, bundled: Sequence[str]) -> Iterator[str]:
    """The table's lines. The responders ``bundled`` are open to all, unless the ini has them."""
    rows = [_HEADINGS]
    rows += [_row(config, responder) for responder in config.responders]
    configured = {responder.name for responder in config.responders}
    rows += [_row(config, ResponderSettings(name)) for name in bundled if name not in configured]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _row(config: Config, responder: ResponderSettings) -> tuple[str, str, str, str]:
    if not responder.enabled:
        return responder.name, "no one: switched off", "", ""
    return responder.name, _who(responder), _where(config, responder), _asked(responder)


def _who(responder: ResponderSettings) -> str:
    access = responder.access
    who = "everyone" if access.allow is None else _names(names_of(access.allow))
    return who if access.deny is None else f"{who}, but not {_names(names_of(access.deny))}"


def names_of(several: AccessList) -> Sequence[str]:
    """The names in the ini; without an ini, the people that they would stand for."""
    if several.names:
        return several.names
    people = several.people
    named = [*map(str, people.jids), *(f"@{domain}" for domain in people.domains)]
    named += [word for word, meant in ROOM_WORDS.items() if meant == several.affiliations]
    return sorted(named)


def _where(config: Config, responder: ResponderSettings) -> str:
    """The rooms in which it answers, by ``rooms`` and by the sections of the rooms."""
    closed = {
        str(room.jid)
        for room in config.rooms
        if room.responders is not None and responder.name not in room.responders
    }
    if responder.access.rooms is not None:
        rooms = _names(sorted(responder.access.rooms - closed))
    elif closed:
        rooms = f"all rooms but {_names(sorted(closed))}"
    else:
        rooms = "all rooms"
    places = [rooms] if rooms else []
    places += ["in private"] if responder.access.direct else []
    return ", ".join(places) or "nowhere"


def _asked(responder: ResponderSettings) -> str:
    asked = ["the sender confirms"] if responder.confirm else []
    if responder.approve:
        others = "other approves" if responder.approve == 1 else "others approve"
        asked.append(f"{responder.approve} {others}")
    return ", ".join(asked)


def _names(names: Sequence[str]) -> str:
    left = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {left} more" if left > 0 else "")
