"""All patterns at once: which of them a text fits, without trying each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

from twisted.internet.defer import Deferred

from xbot.matching.cost import BUDGET
from xbot.matching.guarded_search import Asked
from xbot.matching.pattern import MAX_SEARCHED, Pattern
from xbot.matching.prefilter import Prefilter
from xbot.matching.prefixes import Prefixes
from xbot.matching.regex_search import Groups
from xbot.matching.required_literals import beginnings, folded, is_plain, required
from xbot.matching.strategy import Strategy, way_of

K = TypeVar("K", bound=Hashable)


class Found(NamedTuple, Generic[K]):
    """Whose pattern fits, and its named groups that took part."""

    key: K
    groups: dict[str, str]


class FindsGuarded(Protocol):
    """What a :class:`~xbot.matching.guarded_search.GuardedSearch` does for us."""

    def find(self, text: str, asked: list[Asked]) -> Deferred[list[Groups]]:
        """For each its groups, or None. Never fails."""


class Matcher(Generic[K]):
    """Patterns in order, each with the key of whoever it belongs to.

    Both questions are answered at once, or, where the patterns that may fit might
    take too long on a text of that length, by a Deferred: it never fails, and
    fires within the worker's time. A key is found once, by its first pattern that
    fits. Without a ``worker`` guarded patterns are run here and now, which may
    take for ever: that is for tools, not for a bot that strangers speak to.
    ``owner`` names a key in the log.
    """

    def __init__(
        self,
        patterns: Iterable[tuple[K, Pattern]],
        worker: FindsGuarded | None = None,
        owner: Callable[[K], str] = str,
    ) -> None:
        self._worker = worker
        self._owner = owner
        self._entries = [(key, way_of(pattern)) for key, pattern in patterns]
        #: How many are run by the worker on long texts.
        self.guarded = sum(way.name == "guarded" for _, way in self._entries)
        if self.guarded:
            # Before anybody speaks; most bots need none of it.
            import regex  # noqa: F401
        self._commands = Prefixes(
            (number, beginnings(way.tree), is_plain(way.tree))
            for number, way in self._of_kind("match")
        )
        self._heard = Prefilter(
            (number, required(way.tree)) for number, way in self._of_kind("hear")
        )

    def commands(self, addressed: str) -> list[Found[K]] | Deferred[list[Found[K]]]:
        """Everyone with a ``match`` pattern that fits what is said to the bot, in order."""
        if len(addressed) > MAX_SEARCHED:
            return []
        return self._find(self._commands.candidates(folded(addressed)), addressed)

    def heard(self, body: str) -> list[Found[K]] | Deferred[list[Found[K]]]:
        """Everyone with a ``hear`` pattern that fits the beginning of ``body``, in order."""
        if self._heard.is_empty:
            return []
        text = body[:MAX_SEARCHED]
        return self._find(self._heard.candidates(folded(text)), text)

    def may_hear(self, body: str) -> bool:
        """Whether anybody could be found by :meth:`heard`; no pattern is tried for it."""
        # Most bots hear nothing.
        return not self._heard.is_empty and bool(
            self._heard.candidates(folded(body[:MAX_SEARCHED]))
        )

    def _of_kind(self, kind: Literal["match", "hear"]) -> Iterator[tuple[int, Strategy]]:
        for number, (_, way) in enumerate(self._entries):
            if way.pattern.kind == kind:
                yield number, way

    def _find(
        self, candidates: Iterable[int], text: str
    ) -> list[Found[K]] | Deferred[list[Found[K]]]:
        found: list[Found[K]] = []
        # Where in the list the answers belong that are not there yet.
        guarded: list[tuple[int, K, Strategy]] = []
        sure: set[K] = set()
        length, budget = len(text), BUDGET
        for number in candidates:
            key, way = self._entries[number]
            if key in sure:
                continue
            if self._worker is not None:
                bound = way.bound(length)
                if bound > budget:
                    guarded.append((len(found), key, way))
                    continue
                budget -= bound
            groups = way.pattern.find(text)
            if groups is not None:
                sure.add(key)
                found.append(Found(key, groups))
        if not guarded or self._worker is None:
            return found
        asked = [Asked(way.pattern, self._owner(key)) for _, key, way in guarded]
        return self._worker.find(text, asked).addCallback(_merged, found, guarded)


def _merged(
    answers: list[Groups],
    found: list[Found[K]],
    guarded: list[tuple[int, K, Strategy]],
) -> list[Found[K]]:
    """All in order, each key once."""
    places: list[tuple[int, int, K, Groups]] = [
        (place, 0, key, groups) for (place, key, _), groups in zip(guarded, answers, strict=True)
    ]
    places += [(place, 1, key, groups) for place, (key, groups) in enumerate(found)]
    merged: dict[K, Found[K]] = {}
    for _, _, key, groups in sorted(places, key=lambda each: each[:2]):
        if groups is not None:
            merged.setdefault(key, Found(key, groups))
    return list(merged.values())
