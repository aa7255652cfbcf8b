"""Explain routing: which responders answer a message, which do not, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import asdict, frozen

from xbot.engine.dispatch.filters import Rooms, may_answer
from xbot.engine.dispatch.gates import DISPATCHED, MESSAGE_GATES, ROUTING, Use, objection
from xbot.engine.dispatch.run_queue import MAX_WAITING
from xbot.model.message import Message
from xbot.runtime.responder import Chosen, Responder, Route
from xbot.text.durations import shown


@frozen
class Answering:
    """A route that answers, with its conditions and limits.

    ``objection`` is why the sender may not use it, None when they may. ``confirm``
    tells whether the sender has to confirm it, ``approve`` how many others have to
    approve it, ``journalled`` whether it is journalled before it runs. ``rate`` is
    its rate limit, None for no limit. At most ``runs`` runs are under way at once;
    each has a time-out of ``timeout`` seconds and says at most ``output`` characters.
    ``unless`` names the fallbacks before it: it runs only if they say nothing.
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
    """A route that does not answer, and why."""

    responder: str
    usage: str
    reason: str


@frozen
class Explanation:
    """What the dispatcher does with a message. ``fate`` is the dispatcher's counter for it.

    ``addressed`` is the part that addresses the bot, None if it does not. ``rates``
    are the bot-wide rate limits that count it, in words.
    """

    fate: str
    addressed: str | None
    answering: tuple[Answering, ...]
    silent: tuple[Silent, ...]
    rates: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The explanation as JSON values: dicts, lists and strings."""
        return asdict(self)

    def __str__(self) -> str:
        others = (
            f"not {_named(each.responder, each.usage)}: {each.reason}" for each in self.silent
        )
        return "\n".join([*self.verdict(), *others])

    def verdict(self) -> list[str]:
        """The explanation as lines of text, without the routes that do not answer."""
        return list(self._verdict())

    def _verdict(self) -> Iterator[str]:
        if self.fate not in (DISPATCHED, ROUTING.fate):
            yield f"dropped: {_DROPPED.get(self.fate, self.fate)}"
            return
        if self.addressed is None:
            yield "not said to the bot: only responders with hear can answer"
        else:
            yield f"said to the bot: {self.addressed}"
        is_alone = not any(each.unless for each in self.answering)
        for each in self.answering:
            yield from _answering_lines(each, is_alone=is_alone)
        if not self.answering:
            yield "no responder answers"
        elif self.rates:
            yield f"rates: {', '.join(self.rates)}"


#: The reasons to drop a message, in words, by its fate.
_DROPPED = {gate.fate: gate.text for gate in MESSAGE_GATES}


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
    """Explain the dispatcher's choice ``chosen``, and why the other routes were not chosen."""
    answering = tuple(
        _answering(each, message, before, has_journal=has_journal)
        for each, before in zip(chosen, _earlier_fallbacks(chosen, message), strict=True)
    )
    names = {responder.name for responder, _, _ in chosen}
    routes = [route for _, route, _ in chosen]
    silent = tuple(
        Silent(
            responder.name,
            route.usage,
            _why_absent(responder, message, rooms)
            or _why_not_chosen(route, message, addressed, routes, responder.name in names),
        )
        for responder in responders
        for route in responder.routes
        if not any(route is each for each in routes)
    )
    fate = DISPATCHED if chosen else ROUTING.fate
    return Explanation(fate, addressed, answering, silent, tuple(rates))


def _answering(
    chosen: Chosen, message: Message, before: tuple[str, ...], *, has_journal: bool
) -> Answering:
    """Describe a chosen route; ``before`` names the fallbacks before it."""
    responder, route, groups = chosen
    return Answering(
        responder.name,
        route.usage,
        groups,
        objection(Use(responder, route, message)),
        route.effect and responder.confirm,
        responder.approve if route.effect else 0,
        has_journal and route.effect,
        responder.timeout,
        str(responder.rate) if responder.rate is not None else None,
        responder.runs,
        responder.output,
        before,
    )


def _earlier_fallbacks(chosen: Sequence[Chosen], message: Message) -> Iterator[tuple[str, ...]]:
    """For each chosen route, the fallbacks before it: it runs only if these say nothing."""
    before: tuple[str, ...] = ()
    for responder, route, _ in chosen:
        yield before
        # A fallback that the sender may not use is skipped.
        if route.kind == "fallback" and objection(Use(responder, route, message)) is None:
            before = (*before, responder.name)


def dropped(reason: str) -> Explanation:
    """The explanation of a message that is dropped before routing."""
    return Explanation(reason, None, (), ())


def _why_absent(responder: Responder, message: Message, rooms: Rooms) -> str | None:
    if not may_answer(rooms, message, responder.name):
        return "it does not answer in this room (the room's responders)"
    return responder.access.absence(message)


def _why_not_chosen(
    route: Route,
    message: Message,
    addressed: str | None,
    chosen: Sequence[Route],
    is_chosen_too: bool,
) -> str:
    """The reason for which a route of a present responder does not answer, in words."""
    if route.pattern is None:
        if addressed is None:
            return "it answers only what is said to the bot"
        return "it is a fallback, and another responder answers"
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
        return "it fits, but another command comes before it"
    return "it fits, but is not asked"


def _answering_lines(answering: Answering, *, is_alone: bool) -> Iterator[str]:
    """The lines about one answering route: verdict, groups, conditions and limits."""
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
        others = "1 other" if answering.approve == 1 else f"{answering.approve} others"
        yield f"  asks for the approval of {others} who may use it"
    if answering.journalled:
        yield "  is journalled before it runs"
    yield (
        f"  may take {shown(answering.timeout)}, say {answering.output:,} characters, and run"
        f" {answering.runs} times at once; up to {MAX_WAITING} more wait"
    )
    if answering.rate is not None:
        yield f"  answers no more often than {answering.rate}"


def _named(responder: str, usage: str) -> str:
    return f"{responder} ({usage})" if usage and usage != responder else responder
