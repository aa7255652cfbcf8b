"""Patterns by what a text must hold for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re2

#: Bytes that re2 may use to remember what it saw of texts.
MEMORY = 64 << 20


class Sieve:
    """Numbers by the texts of which one must be held; with None, none need be."""

    def __init__(self, entries: Iterable[tuple[int, frozenset[str] | None]]) -> None:
        self._always: list[int] = []
        self._numbers: dict[str, list[int]] = {}
        for number, texts in entries:
            if texts is None:
                self._always.append(number)
            for text in texts or ():
                self._numbers.setdefault(text, []).append(number)
        self._all = sorted({*self._always, *(n for each in self._numbers.values() for n in each)})
        #: Whether there are no candidates for any text.
        self.is_empty = not self._all
        # re2 numbers them so, in the order of the table.
        self._by_index = list(self._numbers.values())
        self._set = _set_of(list(self._numbers)) if self._numbers else None

    def candidates(self, text: str) -> list[int]:
        """The numbers that ``text`` may be for, in order."""
        if self._set is None:
            return self._all
        indices = self._set.Match(_encoded(text))
        if indices == [0]:
            return self._always
        if not indices:
            # Out of memory: then it says nothing at all.
            return self._all
        numbers = set(self._always)
        for index in indices:
            if index:
                numbers.update(self._by_index[index - 1])
        return sorted(numbers)


def _set_of(texts: list[str]) -> re2.Set | None:
    # A bot that only hears commands needs none of it.
    import re2

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = MEMORY
    options.log_errors = False
    found = re2.Set.SearchSet(options)
    # Every text holds this one.
    found.Add(b"")
    for text in texts:
        found.Add(b"".join(b"\\x%02x" % byte for byte in _encoded(text)))
    try:
        found.Compile()
    except re2.error:
        # More than fits the memory.
        return None
    return found


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")
