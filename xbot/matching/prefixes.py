"""Commands by what they begin with."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain


class Prefixes:
    """Numbers by the texts of which one must be the beginning; with None, none need be."""

    def __init__(self, entries: Iterable[tuple[int, frozenset[str] | None]]) -> None:
        self._always: list[int] = []
        self._table: dict[str, list[int]] = {}
        for number, beginnings in entries:
            if beginnings is None:
                self._always.append(number)
            for beginning in beginnings or ():
                self._table.setdefault(beginning, []).append(number)
        self._lengths = sorted({len(beginning) for beginning in self._table})

    def candidates(self, text: str) -> list[int]:
        """The numbers that ``text`` may be for, in order."""
        found = [self._always] if self._always else []
        for length in self._lengths:
            if length > len(text):
                break
            if (numbers := self._table.get(text[:length])) is not None:
                found.append(numbers)
        if len(found) < 2:
            # Each is in order.
            return found[0] if found else []
        return sorted(set(chain.from_iterable(found)))
