"""How a pattern is run, so that no text makes it hold anybody up."""

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

    ``harmless``: by re, which surely is done with any text in a few milliseconds.
    ``guarded``: so on texts up to ``quick_length``; on longer ones by ``regex``, in a thread and
    with a time limit.
    """

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self._bounds: dict[int, int] = {}

    @cached_property
    def tree(self) -> Node:
        """What the pattern is made of."""
        return parse(self.pattern.regex)

    @cached_property
    def name(self) -> Name:
        """Which of the ways."""
        return "harmless" if self._steps(MAX_SEARCHED) <= HARMLESS else "guarded"

    @cached_property
    def quick_length(self) -> int:
        """How long a text may be so that re surely is done with it in a millisecond or two."""
        if self.name == "harmless":
            return MAX_SEARCHED
        # The longest that is quick lies between these two.
        quick, slow = -1, MAX_SEARCHED
        while slow - quick > 1:
            between = (quick + slow) // 2
            if self._steps(between) <= QUICK:
                quick = between
            else:
                slow = between
        return quick

    def bound(self, length: int) -> int:
        """How many steps re takes at most with a text of this length."""
        if length > self.quick_length:
            return ENDLESS
        # For lengths of about the same size once: it is asked for each text.
        size = length.bit_length()
        bound = self._bounds.get(size)
        if bound is None:
            bound = self._steps(min((1 << size) - 1, self.quick_length))
            self._bounds[size] = bound
        return bound

    def dangers(self) -> list[str]:
        """What may make it take long, in words. Empty for what never does."""
        return dangers(self.tree) if self.name == "guarded" else []

    def _steps(self, length: int) -> int:
        return steps(self.pattern.kind, self.tree, length)


@lru_cache(16384)
def way_of(pattern: Pattern) -> Strategy:
    """The way of a pattern, found out once: a reload has most patterns again."""
    return Strategy(pattern)
