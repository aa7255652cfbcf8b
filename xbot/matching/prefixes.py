"""Prefix index: find the commands whose literal beginning a text has. A prefilter."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain


class Prefixes:
    """An index from prefixes to numbers of patterns.

    Entries are (number, prefixes, whether a prefix must be the whole text); None for
    the prefixes means that the pattern is a candidate for every text.
    """

    def __init__(self, entries: Iterable[tuple[int, frozenset[str] | None, bool]]) -> None:
        self._always: list[int] = []
        self._wholes: dict[str, list[int]] = {}
        self._table: dict[str, list[int]] = {}
        for number, texts, is_whole in entries:
            if texts is None:
                self._always.append(number)
            table = self._wholes if is_whole else self._table
            for text in texts or ():
                table.setdefault(text, []).append(number)
        lengths: dict[str, set[int]] = {}
        for beginning in self._table:
            lengths.setdefault(beginning[0], set()).add(len(beginning))
        #: Lengths of the prefixes, by first letter.
        self._lengths = {letter: sorted(found) for letter, found in lengths.items()}

    def candidates(self, text: str) -> list[int]:
        """The numbers of the patterns that may match ``text``, ascending; no false negatives."""
        found = [self._always] if self._always else []
        if (numbers := self._wholes.get(text)) is not None:
            found.append(numbers)
        for length in self._lengths.get(text[:1], ()):
            if length > len(text):
                break
            if (numbers := self._table.get(text[:length])) is not None:
                found.append(numbers)
        if len(found) < 2:
            # Each list is sorted already.
            return found[0] if found else []
        return sorted(set(chain.from_iterable(found)))
