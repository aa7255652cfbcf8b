"""Routing: which responders answer a message.

A message that addresses the bot goes to the first command that matches, alone.
Without one, every responder with a ``hear`` pattern that matches answers. Without
those, and if it addresses the bot, all fallbacks are given, in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred

from xbot.matching.matcher import FindsGuarded, Found, Matcher
from xbot.model.message import Message
from xbot.runtime.responder import Chosen, Responder

IsHere = Callable[[Responder, Message], bool]

# Index of a responder and of its route: hashable, whatever those hold.
_Key = tuple[int, int]
_Keys = list[Found[_Key]]


class Routing:
    """The routing table of ``responders``. Guarded patterns are searched by ``worker``."""

    def __init__(self, responders: Sequence[Responder], worker: FindsGuarded | None = None) -> None:
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
        )

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
            return self._overhear(message, is_here, is_addressed=False)
        found = self._matcher.commands(addressed)
        if not isinstance(found, list):
            return found.addCallback(self._got_commands, message, is_here)
        return self._got_commands(found, message, is_here)

    def _got_commands(
        self, found: _Keys, message: Message, is_here: IsHere
    ) -> list[Chosen] | Deferred[list[Chosen]]:
        for chosen in map(self._chosen, found):
            if is_here(chosen[0], message):
                return [chosen]
        return self._overhear(message, is_here, is_addressed=True)

    def _overhear(
        self, message: Message, is_here: IsHere, *, is_addressed: bool
    ) -> list[Chosen] | Deferred[list[Chosen]]:
        found = self._matcher.heard(message.body)
        if not isinstance(found, list):
            return found.addCallback(self._got_heard, message, is_here, is_addressed)
        return self._got_heard(found, message, is_here, is_addressed)

    def _got_heard(
        self, found: _Keys, message: Message, is_here: IsHere, is_addressed: bool
    ) -> list[Chosen]:
        """One route per responder; all fallbacks if none matched and the bot is addressed."""
        heard: dict[str, Chosen] = {}
        for chosen in map(self._chosen, found):
            if chosen[0].name not in heard and is_here(chosen[0], message):
                heard[chosen[0].name] = chosen
        if not heard and is_addressed:
            return [(r, route, {}) for r, route in self._fallbacks if is_here(r, message)]
        return list(heard.values())

    def _chosen(self, found: Found[_Key]) -> Chosen:
        return (*self._routes[found.key], found.groups)
