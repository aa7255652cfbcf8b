"""Configuration warnings: settings that are valid but probably unintended (a lint of the ini)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path

from xbot.config.reader import line_of
from xbot.config.scripts import operators
from xbot.config.settings import Config, ResponderSettings
from xbot.engine.dispatch.filters import Rooms
from xbot.engine.loading.loader import problem
from xbot.matching.strategy import strategy_of
from xbot.model.errors import Problem
from xbot.model.people import NOBODY
from xbot.runtime.responder import Responder, Route
from xbot.text.did_you_mean import suggest

_Key = tuple[int, int]


def slow_patterns(
    responders: Sequence[Responder], settings: Sequence[ResponderSettings]
) -> list[Problem]:
    """ReDoS warnings: patterns that may backtrack for long, and the constructs to blame."""
    by_name = {each.name: each for each in settings}
    return [
        _remark(
            responder,
            by_name,
            route.kind,
            f"{danger}, may take long; a text of more than {max(strategy.quick_length, 0)}"
            " characters is given up after 50 ms",
        )
        for responder in responders
        for route in responder.routes
        if route.pattern is not None
        for strategy in (strategy_of(route.pattern),)
        for danger in strategy.dangers()
    ]


def unreachable(
    responders: Sequence[Responder], settings: Sequence[ResponderSettings], rooms: Rooms
) -> list[Problem]:
    """Commands and fallbacks that are never reached: an earlier responder takes their texts."""
    # Imported late: only tools use it, not the daemon.
    from xbot.matching.shadowed import never_asked, taken

    by_name = {each.name: each for each in settings}
    routes: dict[_Key, tuple[Responder, Route]] = {
        (place, number): (responder, route)
        for place, responder in enumerate(responders)
        for number, route in enumerate(responder.routes)
    }

    def answers_wherever(one: _Key, other: _Key) -> bool:
        return _answers_wherever(routes[one][0], routes[other][0], rooms)

    found = taken(
        [
            (key, route.pattern, route.example[0] if route.example else None)
            for key, (_, route) in routes.items()
            if route.pattern is not None
        ],
        answers_wherever,
    )
    remarks = [
        (each.key, f"{each.text!r} goes to {_named(routes[each.by])}, which comes before it")
        for each in found
    ]
    fallbacks = [key for key, (_, route) in routes.items() if route.kind == "fallback"]
    remarks += [
        (key, f"everything goes to {_named(routes[by])}, which comes before it")
        for key, by in never_asked(fallbacks, answers_wherever)
    ]
    return [
        _remark(routes[key][0], by_name, routes[key][1].kind, f"never reached: {reason}")
        for key, reason in sorted(remarks)
        # It is intended that the ini can take over the command of a bundled responder.
        if routes[key][0].name in by_name
    ]


def out_of_reach(config: Config) -> list[Problem]:
    """Rooms in ``rooms`` of a responder that the bot is never in; probably misspelt.

    No warning if people may invite or order the bot into rooms that the ini does not name.
    """
    leads = any(each.name == "rooms" and each.enabled for each in config.responders)
    if leads or config.xmpp.accept_invites != NOBODY:
        return []
    known = {str(room.jid) for room in config.rooms}
    return [
        problem(
            settings,
            "rooms",
            f"the bot is never in {room}: there is no [room {room}]{suggest(room, known)}",
        )
        for settings in config.responders
        for room in sorted((settings.access.rooms or frozenset()) - known)
    ]


def unasked(
    responders: Sequence[Responder], settings: Sequence[ResponderSettings]
) -> list[Problem]:
    """``confirm`` and ``approve`` without use: no command of the responder has effects."""
    by_name = {each.name: each for each in settings}
    return [
        problem(
            by_name[responder.name],
            option,
            "has no use here: no command of this responder has effects (effect = yes marks them)",
        )
        for responder in responders
        if responder.name in by_name and not any(route.effect for route in responder.routes)
        for option, is_set in (("confirm", responder.confirm), ("approve", responder.approve))
        if is_set
    ]


def on_all_interfaces(config: Config) -> list[Problem]:
    """An HTTP server that every machine can connect to that reaches this one."""
    listen = config.http.listen if config.http is not None else None
    if listen is None or listen.path is not None:
        return []
    if not ipaddress.ip_address(listen.host).is_unspecified:
        return []
    reason = (
        f"{listen} serves every machine that can reach this one: write 127.0.0.1:{listen.port}"
        " to serve this one only"
    )
    line = line_of(config.path, "http", "listen")
    return [Problem(config.path, line, "http", "listen", reason)]


def without_a_shell(settings: Sequence[ResponderSettings]) -> list[Problem]:
    """``run`` lines with shell operators, which the program gets as arguments."""
    return [
        problem(each, "run", f"no shell runs it: {word} is an argument like the others")
        for each in settings
        for word in operators(each.run or ())
    ]


def _answers_wherever(one: Responder, other: Responder, rooms: Rooms) -> bool:
    if one.name == other.name:
        return True
    if other.access.direct and not one.access.direct:
        return False
    if one.access.rooms is not None and (
        other.access.rooms is None or not other.access.rooms <= one.access.rooms
    ):
        return False
    return all(
        allowed is None or other.name not in allowed or one.name in allowed
        for allowed in rooms.values()
    )


def _named(found: tuple[Responder, Route]) -> str:
    responder, route = found
    pattern = route.pattern.regex.pattern if route.pattern is not None else "its fallback"
    return f"{responder.name} ({pattern})"


def _remark(
    responder: Responder, by_name: Mapping[str, ResponderSettings], kind: str, reason: str
) -> Problem:
    settings = by_name.get(responder.name)
    section = f"responder {responder.name}"
    if settings is None:
        return Problem(Path("bundled"), 0, section, kind, reason)
    option = kind if settings.use is None else "use"
    return Problem(settings.path, settings.line, section, option, reason)
