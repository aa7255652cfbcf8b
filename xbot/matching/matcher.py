"""Matcher: find the patterns that match a text, with prefilters and ReDoS protection."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

from twisted.internet.defer import Deferred

from xbot.matching.breaker import UNKNOWN, Asker
from xbot.matching.cost import BUDGET
from xbot.matching.guarded_search import OwnedPattern, Searched, Unsearched, Why
from xbot.matching.pattern import MAX_SEARCHED, Pattern
from xbot.matching.prefilter import Prefilter
from xbot.matching.prefixes import Prefixes
from xbot.matching.required_literals import beginnings, folded, is_plain, required
from xbot.matching.strategy import Strategy, strategy_of
from xbot.model.message import Message

K = TypeVar("K", bound=Hashable)
L = TypeVar("L", contravariant=True)


class Found(NamedTuple, Generic[K]):
    """A match: the key of the pattern, and the values of its named groups.

    With ``unsearched``, a pattern that may match: it is not known, for that reason.
    """

    key: K
    groups: dict[str, str]
    unsearched: Unsearched | None = None


class FindsGuarded(Protocol):
    """The interface of :class:`~xbot.matching.guarded_search.GuardedSearch`."""

    def find(
        self, text: str, asked: list[OwnedPattern], asker: Asker = UNKNOWN
    ) -> Deferred[list[Searched]]:
        """Fires with the result of each pattern; never fails."""


class Vetting(Protocol[L]):
    """Whether the worker may run a pattern on a sender's text, before it is tried."""

    def asker_of(self, message: Message) -> Asker:
        """The sender, for the limits of the worker."""

    def is_here(self, key: L, message: Message) -> bool:
        """Whether the pattern answers in the place of ``message``, to any sender."""

    def may_use(self, key: L, message: Message) -> bool:
        """Whether the sender of ``message`` may use what the pattern belongs to."""


class Matcher(Generic[K]):
    """An ordered list of patterns, each with a key (such as its responder).

    :meth:`commands` and :meth:`heard` return the matches at once, or, if candidates might
    take too long on this text, a Deferred; it never fails, and fires within the time limit
    of ``worker``. A key is found once, by its first pattern that matches. Without a
    ``worker`` slow patterns run in the reactor without a time limit: for tools only, since
    strangers could block a bot with that (ReDoS). ``owner`` gives a key's name for the log.

    Matches come first in a result. Behind them are the keys of which a pattern may match, and
    was not searched: by the worker's limits, or because ``vetting`` did not allow it (then only
    commands whose literal beginning the text has).
    """

    def __init__(
        self,
        patterns: Iterable[tuple[K, Pattern]],
        worker: FindsGuarded | None = None,
        owner: Callable[[K], str] = str,
        vetting: Vetting[K] | None = None,
    ) -> None:
        self._worker = worker
        self._vetting = vetting
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

    def commands(
        self, addressed: str, message: Message | None = None
    ) -> list[Found[K]] | Deferred[list[Found[K]]]:
        """The keys whose ``match`` pattern matches a text said to the bot, in order.

        ``message`` is where the text is from, for ``vetting``; None for any.
        """
        if len(addressed) > MAX_SEARCHED:
            return []
        return self._find(self._commands.candidates(folded(addressed)), addressed, message)

    def heard(
        self, body: str, message: Message | None = None
    ) -> list[Found[K]] | Deferred[list[Found[K]]]:
        """The keys whose ``hear`` pattern matches in the beginning of ``body``, in order."""
        if self._heard.is_empty:
            return []
        text = body[:MAX_SEARCHED]
        return self._find(self._heard.candidates(folded(text)), text, message)

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
        self, candidates: Iterable[int], text: str, message: Message | None
    ) -> list[Found[K]] | Deferred[list[Found[K]]]:
        found: list[Found[K]] = []
        # The patterns for the worker, with their positions in ``found``.
        guarded: list[_Guarded[K]] = []
        sure: set[K] = set()
        length, budget = len(text), BUDGET
        for number in candidates:
            key, strategy = self._entries[number]
            if key in sure:
                continue
            if self._worker is not None:
                bound = strategy.bound(length)
                if bound > budget:
                    guarded.append(_Guarded(len(found), key, strategy))
                    continue
                budget -= bound
            groups = strategy.pattern.find(text)
            if groups is not None:
                sure.add(key)
                found.append(Found(key, groups))
        if not guarded or self._worker is None:
            return found
        return self._find_guarded(self._worker, guarded, text, message, found)

    def _find_guarded(
        self,
        worker: FindsGuarded,
        guarded: list[_Guarded[K]],
        text: str,
        message: Message | None,
        found: list[Found[K]],
    ) -> list[Found[K]] | Deferred[list[Found[K]]]:
        """Have the worker search what the sender may use; the rest is not searched."""
        asker, denied = UNKNOWN, list[Found[K]]()
        if self._vetting is not None and message is not None:
            vetting, asker = self._vetting, self._vetting.asker_of(message)
            here = [each for each in guarded if vetting.is_here(each.key, message)]
            guarded = []
            for each in here:
                if vetting.may_use(each.key, message):
                    guarded.append(each)
                elif each.is_named:
                    denied.append(Found(each.key, {}, _NOT_ALLOWED))
        if not guarded:
            return _merged([], found, [], denied)
        asked = [OwnedPattern(each.strategy.pattern, self._owner(each.key)) for each in guarded]
        return worker.find(text, asked, asker).addCallback(_merged, found, guarded, denied)


_NOT_ALLOWED = Unsearched(Why.NOT_ALLOWED)


class _Guarded(NamedTuple, Generic[K]):
    """A pattern for the worker; ``place`` is its position among the matches of the others."""

    place: int
    key: K
    strategy: Strategy

    @property
    def is_named(self) -> bool:
        """Whether it is of a command whose literal beginning the text has."""
        strategy = self.strategy
        return strategy.pattern.kind == "match" and beginnings(strategy.tree) is not None


def _merged(
    answers: list[Searched],
    found: list[Found[K]],
    guarded: list[_Guarded[K]],
    denied: list[Found[K]],
) -> list[Found[K]]:
    """Merge the worker's answers into ``found``, in order, each key once; see Matcher."""
    places: list[tuple[int, int, Found[K]]] = [(place, 1, each) for place, each in enumerate(found)]
    unsearched: list[Found[K]] = []
    for each, answer in zip(guarded, answers, strict=True):
        if isinstance(answer, Unsearched):
            unsearched.append(Found(each.key, {}, answer))
        elif answer is not None:
            places.append((each.place, 0, Found(each.key, answer)))
    merged: dict[K, Found[K]] = {}
    matches = [each for _, _, each in sorted(places, key=lambda each: each[:2])]
    for one in (*matches, *unsearched, *denied):
        merged.setdefault(one.key, one)
    return list(merged.values())
