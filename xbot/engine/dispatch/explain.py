"""Why a message is answered as it is, in values that people and programs can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import asdict, frozen

from xbot.engine.dispatch.filters import Rooms, may_answer, may_have_effects
from xbot.model.message import Message
from xbot.runtime.responder import Chosen, Responder, Route


@frozen
class Answering:
    """Somebody who answers, and what comes before that.

    ``objection`` is why it is not for whoever said this, None when it is.
    ``confirm`` and ``approve`` are who is asked before, ``journalled`` whether
    it waits until it is noted that it runs. ``rate`` is how often it answers,
    None for as often as it is asked; at most ``runs`` are under way at once, and
    each of them takes ``timeout`` seconds and says ``output`` characters at most.
    ``unless`` names the fallbacks before it: it is asked only if they say nothing.
    """

    responder: str
    usage: str
    groups: Mapping[str, str]
    objection: str | None
    confirm: bool
    approve: int
    journalled: bool
    timeout: float
    rate: str | None
    runs: int
    output: int
    unless: tuple[str, ...] = ()


@frozen
class Silent:
    """Something that does not answer, and why."""

    responder: str
    usage: str
    reason: str


@frozen
class Explanation:
    """What becomes of a message. ``fate``: as the dispatcher counts it.

    ``addressed`` is what of it is said to the bot, None for nothing. ``rates``
    are those of the whole bot that count it, in words.
    """

    fate: str
    addressed: str | None
    answering: tuple[Answering, ...]
    silent: tuple[Silent, ...]
    rates: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The same in dicts, lists and texts."""
        return asdict(self)

    def __str__(self) -> str:
        others = (
            f"not {_named(each.responder, each.usage)}: {each.reason}" for each in self.silent
        )
        return "\n".join([*self.verdict(), *others])

    def verdict(self) -> list[str]:
        """In words what becomes of it, without those who do not answer."""
        return list(self._verdict())

    def _verdict(self) -> Iterator[str]:
        if self.fate not in ("dispatched", "unmatched"):
            yield f"nobody is asked: {_DROPPED.get(self.fate, self.fate)}"
            return
        if self.addressed is None:
            yield "said to nobody: only what is overheard can answer"
        else:
            yield f"said to the bot: {self.addressed}"
        is_alone = not any(each.unless for each in self.answering)
        for each in self.answering:
            yield from _answering_lines(each, is_alone=is_alone)
        if not self.answering:
            yield "nobody answers"
        elif self.rates:
            yield f"rates: {', '.join(self.rates)}"


#: What the words of :func:`xbot.engine.dispatch.filters.reason_to_drop` mean.
_DROPPED = {
    "delayed": "it was said in the past",
    "echo": "the bot said it itself",
    "room": "the room itself says it",
    "empty": "nothing is said",
}


def explain(
    message: Message,
    addressed: str | None,
    chosen: Sequence[Chosen],
    responders: Sequence[Responder],
    rooms: Rooms,
    *,
    has_journal: bool,
    rates: Sequence[str] = (),
) -> Explanation:
    """What the dispatcher's choice comes to, and why the others were not chosen."""
    answering = tuple(
        _answering(each, message, before, has_journal=has_journal)
        for each, before in zip(chosen, _befores(chosen, message), strict=True)
    )
    names = {responder.name for responder, _, _ in chosen}
    routes = [route for _, route, _ in chosen]
    silent = tuple(
        Silent(
            responder.name,
            route.usage,
            _absence(responder, message, rooms)
            or _why_not(route, message, addressed, routes, responder.name in names),
        )
        for responder in responders
        for route in responder.routes
        if not any(route is each for each in routes)
    )
    fate = "dispatched" if chosen else "unmatched"
    return Explanation(fate, addressed, answering, silent, tuple(rates))


def _answering(
    chosen: Chosen, message: Message, before: tuple[str, ...], *, has_journal: bool
) -> Answering:
    responder, route, groups = chosen
    return Answering(
        responder.name,
        route.usage,
        groups,
        _objection(responder, route, message),
        route.effect and responder.confirm,
        responder.approve if route.effect else 0,
        has_journal and route.effect,
        responder.timeout,
        str(responder.rate) if responder.rate is not None else None,
        responder.runs,
        responder.output,
        before,
    )


def _befores(chosen: Sequence[Chosen], message: Message) -> Iterator[tuple[str, ...]]:
    """For each of them, those who may answer in its place: of fallbacks one does."""
    before: tuple[str, ...] = ()
    for responder, route, _ in chosen:
        yield before
        # Where somebody may not use one, the next one is asked.
        if route.kind == "fallback" and _objection(responder, route, message) is None:
            before = (*before, responder.name)


def dropped(reason: str) -> Explanation:
    """Of a message that nobody is asked about."""
    return Explanation(reason, None, (), ())


def _objection(responder: Responder, route: Route, message: Message) -> str | None:
    if not route.for_everyone and (objection := responder.access.objection(message)):
        return objection
    if route.effect and not may_have_effects(message):
        return "it has effects, and this was said outside a conversation (type normal)"
    return None


def _absence(responder: Responder, message: Message, rooms: Rooms) -> str | None:
    if not may_answer(rooms, message, responder.name):
        return "it does not answer in this room (the room's responders)"
    return responder.access.absence(message)


def _why_not(
    route: Route,
    message: Message,
    addressed: str | None,
    chosen: Sequence[Route],
    is_chosen_too: bool,
) -> str:
    if route.pattern is None:
        if addressed is None:
            return "it answers what is said to the bot alone"
        return "it answers only what nothing else answers to"
    is_command = route.kind == "match"
    if is_command and addressed is None:
        return "it is a command, and nothing was said to the bot"
    text = addressed if is_command and addressed is not None else message.body
    if route.pattern.find(text) is None:
        verb = "does not fit" if is_command else "is not found"
        return f"its pattern {verb}: {route.pattern.regex.pattern}"
    if is_chosen_too:
        return "another pattern of it comes first"
    if any(each.kind == "match" for each in chosen):
        return "it fits, but another one is asked before it"
    return "it fits, but is not asked"


def _answering_lines(answering: Answering, *, is_alone: bool) -> Iterator[str]:
    named = _named(answering.responder, answering.usage)
    if answering.objection is not None:
        yield f"denied: {named}: {answering.objection}"
    elif answering.unless:
        yield f"is asked if nothing is said by {', '.join(answering.unless)}: {named}"
    else:
        yield f"{'answers' if is_alone else 'is asked first'}: {named}"
    for name, value in answering.groups.items():
        yield f"  {name} = {value}"
    if answering.objection is not None:
        return
    if answering.confirm:
        yield "  asks the same person to confirm it"
    if answering.approve:
        yield f"  asks for the approval of {answering.approve} other(s) who may use it"
    if answering.journalled:
        yield "  is journalled before it runs"
    yield (
        f"  may take {answering.timeout:g} s, say {answering.output:,} characters, and run"
        f" {answering.runs} times at once"
    )
    if answering.rate is not None:
        yield f"  answers no more often than {answering.rate}"


def _named(responder: str, usage: str) -> str:
    return f"{responder} ({usage})" if usage and usage != responder else responder
