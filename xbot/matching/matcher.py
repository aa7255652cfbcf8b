"""Matcher: find the patterns that match a text, with prefilters and ReDoS protection."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

from twisted.internet.defer import Deferred

from xbot.matching.cost import BUDGET
from xbot.matching.guarded_search import OwnedPattern
from xbot.matching.pattern import MAX_SEARCHED, Pattern
from xbot.matching.prefilter import Prefilter
from xbot.matching.prefixes import Prefixes
from xbot.matching.regex_search import Groups
from xbot.matching.required_literals import beginnings, folded, is_plain, required
from xbot.matching.strategy import Strategy, strategy_of

K = TypeVar("K", bound=Hashable)


class Found(NamedTuple, Generic[K]):
    """A match: the key of the pattern, and the values of its named groups."""

    key: K
    groups: dict[str, str]


class FindsGuarded(Protocol):
    """The interface of :class:`~xbot.matching.guarded_search.GuardedSearch`."""

    def find(self, text: str, asked: list[OwnedPattern]) -> Deferred[list[Groups]]:
        """Fires with the groups of each pattern, or None; never fails."""


class Matcher(Generic[K]):
    """An ordered list of patterns, each with a key (such as its responder).

    :meth:`commands` and :meth:`heard` return the matches at once, or, if candidates might
    take too long on this text, a Deferred; it never fails, and fires within the time limit
    of ``worker``. A key is found once, by its first pattern that matches. Without a
    ``worker`` slow patterns run in the reactor without a time limit: for tools only, since
    strangers could block a bot with that (ReDoS). ``owner`` gives a key's name for the log.
    """

    def __init__(
        self,
        patterns: Iterable[tuple[K, Pattern]],
        worker: FindsGuarded | None = None,
        owner: Callable[[K], str] = str,
    ) -> None:
        self._worker = worker
        self._owner = owner
        self._entries = [(key, strategy_of(pattern)) for key, pattern in patterns]
        #: Number of patterns that the worker runs on long texts.
        self.guarded = sum(strategy.name == "guarded" for _, strategy in self._entries)
        if self.guarded:
            # Imported now, and not with the first message; most bots do not need it.
            import regex  # noqa: F401
        self._commands = Prefixes(
            (number, beginnings(strategy.tree), is_plain(strategy.tree))
            for number, strategy in self._of_kind("match")
        )
        self._heard = Prefilter(
            (number, required(strategy.tree)) for number, strategy in self._of_kind("hear")
        )

    def commands(self, addressed: str) -> list[Found[K]] | Deferred[list[Found[K]]]:
        """The keys whose ``match`` pattern matches a text said to the bot, in order."""
        if len(addressed) > MAX_SEARCHED:
            return []
        return self._find(self._commands.candidates(folded(addressed)), addressed)

    def heard(self, body: str) -> list[Found[K]] | Deferred[list[Found[K]]]:
        """The keys whose ``hear`` pattern matches in the beginning of ``body``, in order."""
        if self._heard.is_empty:
            return []
        text = body[:MAX_SEARCHED]
        return self._find(self._heard.candidates(folded(text)), text)

    def may_hear(self, body: str) -> bool:
        """Whether :meth:`heard` has candidates, by the prefilter alone (a fast path)."""
        # Most bots have no ``hear`` patterns.
        return not self._heard.is_empty and bool(
            self._heard.candidates(folded(body[:MAX_SEARCHED]))
        )

    def _of_kind(self, kind: Literal["match", "hear"]) -> Iterator[tuple[int, Strategy]]:
        for number, (_, strategy) in enumerate(self._entries):
            if strategy.pattern.kind == kind:
                yield number, strategy

    def _find(
        self, candidates: Iterable[int], text: str
    ) -> list[Found[K]] | Deferred[list[Found[K]]]:
        found: list[Found[K]] = []
        # The patterns for the worker, with their positions in ``found``.
        guarded: list[tuple[int, K, Strategy]] = []
        sure: set[K] = set()
        length, budget = len(text), BUDGET
        for number in candidates:
            key, strategy = self._entries[number]
            if key in sure:
                continue
            if self._worker is not None:
                bound = strategy.bound(length)
                if bound > budget:
                    guarded.append((len(found), key, strategy))
                    continue
                budget -= bound
            groups = strategy.pattern.find(text)
            if groups is not None:
                sure.add(key)
                found.append(Found(key, groups))
        if not guarded or self._worker is None:
            return found
        asked = [OwnedPattern(strategy.pattern, self._owner(key)) for _, key, strategy in guarded]
        return self._worker.find(text, asked).addCallback(_merged, found, guarded)


def _merged(
    answers: list[Groups],
    found: list[Found[K]],
    guarded: list[tuple[int, K, Strategy]],
) -> list[Found[K]]:
    """Merge the worker's answers into ``found``, in order, each key once."""
    places: list[tuple[int, int, K, Groups]] = [
        (place, 0, key, groups) for (place, key, _), groups in zip(guarded, answers, strict=True)
    ]
    places += [(place, 1, key, groups) for place, (key, groups) in enumerate(found)]
    merged: dict[K, Found[K]] = {}
    for _, _, key, groups in sorted(places, key=lambda each: each[:2]):
        if groups is not None:
            merged.setdefault(key, Found(key, groups))
    return list(merged.values())
