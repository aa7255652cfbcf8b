"""Routing: which responders answer a message.

A message that addresses the bot goes to the first command that matches, alone.
Without one, every responder with a ``hear`` pattern that matches answers. Without
those, and if it addresses the bot, all fallbacks are given, in their order. But where a
pattern that may match was not searched (:mod:`xbot.engine.dispatch.pattern_guard`), the
answer tells that in place of the fallbacks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.defer import Deferred

from xbot.engine.dispatch.pattern_guard import PatternGuard
from xbot.matching.breaker import Asker
from xbot.matching.matcher import FindsGuarded, Found, Matcher
from xbot.model.message import Message
from xbot.runtime.responder import Chosen, Responder, Route

IsHere = Callable[[Responder, Message], bool]

# Index of a responder and of its route: hashable, whatever those hold.
_Key = tuple[int, int]
_Keys = list[Found[_Key]]


class Routing:
    """The routing table of ``responders``. Guarded patterns are searched by ``worker``.

    ``guard`` decides for whom, and makes the answers where that was not possible.
    """

    def __init__(
        self,
        responders: Sequence[Responder],
        worker: FindsGuarded | None = None,
        guard: PatternGuard | None = None,
    ) -> None:
        self._routes = {
            (place, number): (responder, route)
            for place, responder in enumerate(responders)
            for number, route in enumerate(responder.routes)
        }
        self._fallbacks = [(r, route) for r, route in self._routes.values() if not route.pattern]
        self._matcher: Matcher[_Key] = Matcher(
            ((key, route.pattern) for key, (_, route) in self._routes.items() if route.pattern),
            worker,
            lambda key: self._routes[key][0].name,
            None if guard is None else _Vetting(self._routes, guard),
        )
        self._guard = guard

    def may_hear(self, body: str) -> bool:
        """Prefilter: whether a ``hear`` pattern might match ``body``; no false negatives."""
        return self._matcher.may_hear(body)

    def choose(
        self, addressed: str | None, message: Message, is_here: IsHere
    ) -> list[Chosen] | Deferred[list[Chosen]]:
        """The routes that answer ``message``, of responders for which ``is_here`` is true.

        ``addressed`` is the part of the message that addresses the bot, None if it does
        not. A Deferred where a guarded pattern has to be searched; it never fails.
        """
        if addressed is None:
            return self._overhear(message, is_here, None)
        found = self._matcher.commands(addressed, message)
        if not isinstance(found, list):
            return found.addCallback(self._got_commands, message, is_here)
        return self._got_commands(found, message, is_here)

    def _got_commands(
        self, found: _Keys, message: Message, is_here: IsHere
    ) -> list[Chosen] | Deferred[list[Chosen]]:
        for each in found:
            if each.unsearched is None and is_here(self._routes[each.key][0], message):
                return [self._chosen(each)]
        return self._overhear(message, is_here, found)

    def _overhear(
        self, message: Message, is_here: IsHere, commands: _Keys | None
    ) -> list[Chosen] | Deferred[list[Chosen]]:
        """``commands``: what was found as a command; None if the bot is not addressed."""
        found = self._matcher.heard(message.body, message)
        if not isinstance(found, list):
            return found.addCallback(self._got_heard, message, is_here, commands)
        return self._got_heard(found, message, is_here, commands)

    def _got_heard(
        self, found: _Keys, message: Message, is_here: IsHere, commands: _Keys | None
    ) -> list[Chosen]:
        """One route per responder; all fallbacks if none matched and the bot is addressed."""
        heard: dict[str, Chosen] = {}
        for each in found:
            responder = self._routes[each.key][0]
            if (
                each.unsearched is None
                and responder.name not in heard
                and is_here(responder, message)
            ):
                heard[responder.name] = self._chosen(each)
        if heard or commands is None:
            return list(heard.values())
        return self._unsearched([*commands, *found], message, is_here) or [
            (r, route, {}) for r, route in self._fallbacks if is_here(r, message)
        ]

    def _unsearched(self, found: _Keys, message: Message, is_here: IsHere) -> list[Chosen]:
        """The answer about the first pattern that was not searched, if there is one."""
        for each in found:
            responder, route = self._routes[each.key]
            if (
                each.unsearched is not None
                and self._guard is not None
                and is_here(responder, message)
            ):
                return [self._guard.answer(responder, route, each.unsearched)]
        return []

    def _chosen(self, found: Found[_Key]) -> Chosen:
        return (*self._routes[found.key], found.groups)


class _Vetting:
    """A :class:`PatternGuard` for the keys of a :class:`Routing`."""

    def __init__(self, routes: Mapping[_Key, tuple[Responder, Route]], guard: PatternGuard) -> None:
        self._routes = routes
        self._guard = guard
        self.asker_of: Callable[[Message], Asker] = guard.asker_of

    def is_here(self, key: _Key, message: Message) -> bool:
        return self._guard.is_here(self._routes[key][0], message)

    def may_use(self, key: _Key, message: Message) -> bool:
        return self._guard.may_use(*self._routes[key], message)
