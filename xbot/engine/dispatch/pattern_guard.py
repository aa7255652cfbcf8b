"""Access before guarded patterns (ReDoS), and the answers where one was not searched.

A pattern that may run away costs CPU time before the gates are reached. So it is searched only
for senders who may use its responder; see :data:`xbot.engine.dispatch.gates.RIGHTS_GATES`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from math import ceil

from attrs import evolve
from twisted.internet.defer import fail

from xbot.engine.dispatch.person import name_of
from xbot.matching.breaker import Asker
from xbot.matching.guarded_search import Unsearched, Why
from xbot.model.access import EVERYONE
from xbot.model.fair_share import domain_of
from xbot.model.message import Message
from xbot.runtime.failures import Failed
from xbot.runtime.responder import Chosen, Responder, Route

MayUse = Callable[[Responder, Route, Message], bool]
"""Whether the sender of the message, and the authors of its words, may use the route."""


class PatternGuard:
    """Who may have guarded patterns searched, and what is said to them if that fails.

    ``is_here``: whether a responder answers in the place of a message. ``may_use``: the same
    rule as that of the gates. ``is_trusted``: whether the operator has named the sender in an
    ``allow``. ``wall_clock``: seconds since 1970.
    """

    def __init__(
        self,
        is_here: Callable[[Responder, Message], bool],
        may_use: MayUse,
        is_trusted: Callable[[Message], bool],
        wall_clock: Callable[[], float],
    ) -> None:
        self.is_here = is_here
        self.may_use = may_use
        self._is_trusted = is_trusted
        self._wall_clock = wall_clock

    def asker_of(self, message: Message) -> Asker:
        """The sender of ``message``, for the limits of the search."""
        name = name_of(message)
        return Asker(name, message.room or domain_of(name), self._is_trusted(message))

    def answer(self, responder: Responder, route: Route, unsearched: Unsearched) -> Chosen:
        """A route that tells the sender why ``route`` was not searched, in place of it.

        It is not the responder's code, and has none of its limits. For a sender without rights
        it has those of ``route``, so that a gate refuses it.
        """
        text = self._text(responder.name, unsearched)
        is_denied = unsearched.why is Why.NOT_ALLOWED
        access = responder.access if is_denied else EVERYONE
        told = evolve(
            route,
            call=lambda message, groups: fail(Failed(text)),
            fill=None,
            effect=route.effect and is_denied,
        )
        return Responder(responder.name, (told,), access=access), told, {}

    def _text(self, name: str, unsearched: Unsearched) -> str:
        match unsearched.why:
            case Why.NOT_ALLOWED:
                # Only if the rights came meanwhile; else a gate refuses the sender before.
                return f"{name} was not for you when you said that; say it again."
            case Why.TOO_LONG:
                return f"I gave up reading that for {name}: it took too long. Say it shorter."
            case Why.PAUSED:
                return f"{self._paused(name, 'for you', unsearched)} that you said."
            case Why.PAUSED_FOR_MANY:
                return f"{self._paused(name, 'for now', unsearched)}."
            case Why.STUCK | Why.MISREAD:
                return f"{name} is switched off for texts as long as this one. Say it shorter."
            case Why.BUSY:
                return f"I have too much to read for {name} just now; try again in a moment."

    def _paused(self, name: str, for_whom: str, unsearched: Unsearched) -> str:
        # Rounded up: before that time it would be refused.
        end = ceil((self._wall_clock() + unsearched.seconds) / 60) * 60
        until, minutes = datetime.fromtimestamp(end, UTC), ceil(unsearched.seconds / 60)
        return (
            f"{name} is switched off {for_whom} until {until:%H:%M} UTC ({minutes} min) for texts"
            " as long as this one: it took too long to read some"
        )
