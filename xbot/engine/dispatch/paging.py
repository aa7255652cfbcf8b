"""Paging of long answers: ``more`` sends the next pages to the person who asked."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from xbot.engine.dispatch.output import MAX_PAGES
from xbot.engine.dispatch.person import Person, person_of
from xbot.matching.pattern import Pattern
from xbot.model.message import Message
from xbot.runtime.answers import Answers
from xbot.runtime.responder import Chosen, Responder, Route

#: Seconds for which pages are kept; maximum number of kept answers, per person and in all.
KEPT_FOR = 600.0
MAX_EACH = 4
MAX_KEPT = 200

_SAID = re.compile(r"more[.!]*", re.IGNORECASE)


MayRead = Callable[[Responder, Route, Message], bool]
"""Whether the sender of the message has access to the answers of this responder's route."""


class _Kept(NamedTuple):
    """The further pages of one answer, which expire at ``until`` (seconds of the clock)."""

    until: float
    pages: tuple[str, ...]
    responder: Responder
    route: Route


class Paging:
    """Keeps the further pages of long answers, one answer per person and place.

    Pages expire after :data:`KEPT_FOR` seconds. Beyond :data:`MAX_KEPT`, the oldest answer of
    the room or domain with most answers is evicted. ``may_read`` checks the person's access
    again at the time of reading.
    """

    def __init__(
        self, clock: IReactorTime, may_read: MayRead = lambda responder, route, message: True
    ) -> None:
        self._clock = clock
        self._may_read = may_read
        # Ordered by expiry, the earliest first.
        self._kept: OrderedDict[Person, _Kept] = OrderedDict()
        route = Route(Pattern.match("more"), self._answer, usage="more", effect=False)
        self._chosen: Chosen = (Responder("more", (route,), is_internal=True), route, {})

    def __len__(self) -> int:
        return len(self._kept)

    def keep(
        self, message: Message, pages: Sequence[str], responder: Responder, route: Route
    ) -> str:
        """Keep ``pages`` for the sender of ``message``; return the notice about them."""
        person = person_of(message)
        self._kept.pop(person, None)
        self._forget_old()
        same = [each for each in self._kept if each.name == person.name]
        if len(same) >= MAX_EACH:
            del self._kept[same[0]]
        elif len(self._kept) >= MAX_KEPT:
            ((fullest, _),) = Counter(each.share for each in self._kept).most_common(1)
            del self._kept[next(each for each in self._kept if each.share == fullest)]
        self._kept[person] = _Kept(self._clock.seconds() + KEPT_FOR, tuple(pages), responder, route)
        return f"[more: {len(pages)} page{'s' * (len(pages) > 1)}; say more]"

    def find(self, message: Message, text: str | None) -> Chosen | None:
        """The route for ``more``, if pages are kept; ``text`` is what addresses the bot."""
        if not self._kept or text is None or not _SAID.fullmatch(text):
            return None
        self._forget_old()
        kept = self._kept.get(person_of(message))
        if kept is None or not self._may_read(kept.responder, kept.route, message):
            return None
        return self._chosen

    def _answer(self, message: Message, groups: Mapping[str, str]) -> Deferred[Answers]:
        kept = self._kept.pop(person_of(message), None)
        if kept is None:
            return succeed(Answers())
        now, later = kept.pages[:MAX_PAGES], kept.pages[MAX_PAGES:]
        offer = (self.keep(message, later, kept.responder, kept.route),) if later else ()
        return succeed(Answers((*now, *offer)))

    def _forget_old(self) -> None:
        now = self._clock.seconds()
        while self._kept and next(iter(self._kept.values())).until <= now:
            self._kept.popitem(last=False)
