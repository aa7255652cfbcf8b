"""A prefilter: which patterns a text may fit, by the literal texts that it must hold.

A multiple-string search: the literals form a trie, the trie is one regular expression, and
:mod:`re` goes through a text once, whatever their number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_Trie = dict[str, Any]

#: The key in a trie of what ends there.
_END = ""


class Prefilter:
    """Numbers by the texts of which one must be held; with None, none need be."""

    def __init__(self, entries: Iterable[tuple[int, frozenset[str] | None]]) -> None:
        self._always: list[int] = []
        self._numbers: dict[str, list[int]] = {}
        for number, texts in entries:
            if texts is None:
                self._always.append(number)
            for text in texts or ():
                self._numbers.setdefault(text, []).append(number)
        #: Whether there are no candidates for any text.
        self.is_empty = not self._always and not self._numbers
        self._search = _regex_of(self._numbers).search if self._numbers else None
        self._shortest = min(map(len, self._numbers), default=0)

    def candidates(self, text: str) -> list[int]:
        """The numbers that ``text`` may be for, in order."""
        if self._search is None or (found := self._search(text)) is None:
            return self._always
        # Each once: somebody may say one and the same again and again.
        longest = {found[0]}
        while (found := self._search(text, found.start() + 1)) is not None:
            longest.add(found[0])
        numbers = set(self._always)
        for held in longest:
            # The longest one that begins there; the shorter ones are its beginnings.
            for end in range(self._shortest, len(held) + 1):
                numbers.update(self._numbers.get(held[:end], ()))
        return sorted(numbers)


def _regex_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Finds the longest of ``texts`` at the first place where one of them begins."""
    root: _Trie = {}
    for text in texts:
        node = root
        for character in text:
            node = node.setdefault(character, {})
        node[_END] = {}
    return re.compile(_source(root))


def _source(node: _Trie) -> str:
    branches = [re.escape(each) + _source(inner) for each, inner in node.items() if each != _END]
    if not branches:
        return ""
    source = branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"
    return f"(?:{source})?" if _END in node else source
