"""Which way a pattern is run, so that no text makes it take long."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Literal

from xbot.matching.cost import is_harmless
from xbot.matching.linear import Linear, NotLinear
from xbot.matching.lint import dangers
from xbot.matching.pattern import MAX_SEARCHED, Pattern
from xbot.matching.tree import Node, parse

Name = Literal["harmless", "linear", "guarded"]


class Way:
    """How to run one pattern.

    ``harmless``: by re, which surely is done in a few milliseconds.
    ``linear``: by re2. ``guarded``: by re, in a process that can be ended.
    """

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern

    @cached_property
    def tree(self) -> Node:
        """What the pattern is made of."""
        return parse(self.pattern.regex)

    @cached_property
    def name(self) -> Name:
        """Which of the ways."""
        if is_harmless(self.pattern.kind, self.tree):
            return "harmless"
        return "linear" if isinstance(self._linear, Linear) else "guarded"

    @property
    def construct(self) -> str:
        """What bars the pattern from re2, where something does."""
        return self._linear.construct if isinstance(self._linear, NotLinear) else ""

    def dangers(self) -> list[str]:
        """What may make it take long, in words. Empty for what never does."""
        return dangers(self.tree) if self.name == "guarded" else []

    def find(self, text: str) -> dict[str, str] | None:
        """What :meth:`Pattern.find` says; :class:`NotLinear` where that may take long."""
        if self.name == "harmless":
            return self.pattern.find(text)
        if isinstance(self._linear, NotLinear):
            raise self._linear
        if len(text) > MAX_SEARCHED:
            if self.pattern.kind == "match":
                return None
            text = text[:MAX_SEARCHED]
        return self._linear.find(text)

    @cached_property
    def _linear(self) -> Linear | NotLinear:
        try:
            return Linear(self.pattern, self.tree)
        except NotLinear as reason:
            return reason.with_traceback(None)


@lru_cache(16384)
def way_of(pattern: Pattern) -> Way:
    """The way of a pattern, found out once: a reload has most patterns again."""
    return Way(pattern)
