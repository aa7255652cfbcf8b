"""Log levels: a default, and exceptions for single namespaces."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from attrs import evolve, field, frozen
from twisted.logger import LogEvent, LogLevel, LogLevelFilterPredicate, PredicateResult

from xbot.logs.renamed import current_name
from xbot.text.did_you_mean import suggest

#: The levels as the ini names them, the most verbose first.
LEVELS = ("debug", "info", "warn", "error", "critical")

#: Maximum number of namespaces with a level of their own.
MAX_NAMESPACES = 50

#: Namespace of Twisted's legacy log: ports, datagrams and look-ups, a line for each step.
_LEGACY = "log_legacy"

_NAMESPACE = re.compile(r"\w+(\.\w+)*", re.ASCII)


@frozen
class Levels:
    """The minimum severity to log: ``usual`` by default, ``special`` as (namespace, level) pairs.

    A namespace is a prefix of a module's name: ``xbot.chat.xmpp`` also applies to
    ``xbot.chat.xmpp.rooms``, unless that has a level of its own. ``renamed`` are
    pairs of a name of the old layout, which is still understood, and today's name.
    """

    usual: str = "info"
    special: tuple[tuple[str, str], ...] = ()
    renamed: tuple[tuple[str, str], ...] = field(default=(), eq=False)

    @classmethod
    def parse(cls, words: Iterable[str]) -> Levels:
        """Parse ``LEVEL`` and any number of ``NAMESPACE=LEVEL``; ValueError with the reason."""
        usual: list[str] = []
        special: dict[str, str] = {}
        renamed: list[tuple[str, str]] = []
        for word in words:
            namespace, equals, level = word.rpartition("=")
            if level not in LEVELS:
                hint = suggest(level, LEVELS)
                raise ValueError(f"{level!r} is no level: one of {', '.join(LEVELS)}{hint}")
            if not equals:
                usual.append(level)
            elif not _NAMESPACE.fullmatch(namespace):
                raise ValueError(
                    f"{namespace!r} is no namespace: write it like xbot.chat.xmpp=debug"
                )
            else:
                name = current_name(namespace)
                if name != namespace:
                    renamed.append((namespace, name))
                special[name] = level
        if len(usual) > 1:
            raise ValueError(f"{usual[0]} and {usual[1]} contradict each other")
        if len(special) > MAX_NAMESPACES:
            raise ValueError(f"more than {MAX_NAMESPACES} namespaces")
        return cls(usual[0] if usual else cls().usual, tuple(special.items()), tuple(renamed))

    @property
    def shows_debug(self) -> bool:
        """Whether any namespace is logged at debug level."""
        return "debug" in (self.usual, *(level for _, level in self.special))

    def also(self, namespace: str, level: str) -> Levels:
        return evolve(self, special=(*self.special, (namespace, level)))

    def filter(self) -> Callable[[LogEvent], bool]:
        """A predicate: whether to log an event."""
        predicate = LogLevelFilterPredicate(LogLevel.levelWithName(self.usual))
        if self.usual == "info":
            # Legacy events are info or critical: this drops the info ones.
            predicate.setLogLevelForNamespace(_LEGACY, LogLevel.warn)
        for namespace, level in self.special:
            predicate.setLogLevelForNamespace(namespace, LogLevel.levelWithName(level))

        # Cached: the number of combinations is bounded by the places in the code that log.
        @lru_cache(maxsize=1024)
        def lets_through(level: object, namespace: object) -> bool:
            event = {"log_level": level, "log_namespace": namespace}
            return predicate(event) is not PredicateResult.no

        return lambda event: lets_through(event.get("log_level"), event.get("log_namespace"))
