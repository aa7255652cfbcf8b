"""Commands by what they begin with."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain


class Prefixes:
    """Numbers by the texts of which one must be the beginning; with None, none need be.

    With True, which stands behind the texts, one of them must be the whole.
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
        #: How long those are that begin with a letter: few have the same.
        self._lengths = {letter: sorted(found) for letter, found in lengths.items()}

    def candidates(self, text: str) -> list[int]:
        """The numbers that ``text`` may be for, in order."""
        found = [self._always] if self._always else []
        if (numbers := self._wholes.get(text)) is not None:
            found.append(numbers)
        for length in self._lengths.get(text[:1], ()):
            if length > len(text):
                break
            if (numbers := self._table.get(text[:length])) is not None:
                found.append(numbers)
        if len(found) < 2:
            # Each is in order.
            return found[0] if found else []
        return sorted(set(chain.from_iterable(found)))
