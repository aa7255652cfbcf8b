"""ReDoS strategy: whether a pattern may run in re, or needs a thread with a time limit."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Literal

from xbot.matching.cost import ENDLESS, HARMLESS, QUICK, steps
from xbot.matching.pattern import MAX_SEARCHED, Pattern
from xbot.matching.slow_patterns import dangers
from xbot.matching.tree import Node, parse

Name = Literal["harmless", "guarded"]


class Strategy:
    """How to run one pattern.

    ``harmless``: by re, which takes a few milliseconds at most on any text. ``guarded``:
    by re on texts up to ``quick_length``, and on longer ones by ``regex``, in a thread
    and with a time limit.
    """

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self._bounds: dict[int, int] = {}

    @cached_property
    def tree(self) -> Node:
        """The syntax tree of the pattern."""
        return parse(self.pattern.regex)

    @cached_property
    def name(self) -> Name:
        """The strategy: harmless or guarded."""
        return "harmless" if self._steps(MAX_SEARCHED) <= HARMLESS else "guarded"

    @cached_property
    def quick_length(self) -> int:
        """Maximum length of a text on which re takes a millisecond or two at most."""
        if self.name == "harmless":
            return MAX_SEARCHED
        # Binary search for the longest quick length.
        quick, slow = -1, MAX_SEARCHED
        while slow - quick > 1:
            between = (quick + slow) // 2
            if self._steps(between) <= QUICK:
                quick = between
            else:
                slow = between
        return quick

    def bound(self, length: int) -> int:
        """Upper bound of the steps that re takes on a text of this length."""
        if length > self.quick_length:
            return ENDLESS
        # Cached by bit length, since it is asked for each text.
        size = length.bit_length()
        bound = self._bounds.get(size)
        if bound is None:
            bound = self._steps(min((1 << size) - 1, self.quick_length))
            self._bounds[size] = bound
        return bound

    def dangers(self) -> list[str]:
        """The constructs that may backtrack for long, in words; empty if harmless."""
        return dangers(self.tree) if self.name == "guarded" else []

    def _steps(self, length: int) -> int:
        return steps(self.pattern.kind, self.tree, length)


@lru_cache(16384)
def strategy_of(pattern: Pattern) -> Strategy:
    """The Strategy of a pattern; cached, because a reload has mostly the same patterns."""
    return Strategy(pattern)
