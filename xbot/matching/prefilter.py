"""Prefilter: the candidate patterns of a text, by the literals that a match must contain.

A multiple-string search: the literals form a trie, the trie becomes one regular expression,
and :mod:`re` scans a text once, whatever the number of literals.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_Trie = dict[str, Any]

#: The key in a trie node at which a literal ends.
_END = ""


class Prefilter:
    """Numbers of patterns by their required literals.

    An entry is (number, literals): a matching text contains one of them. None: the
    pattern is a candidate for every text.
    """

    def __init__(self, entries: Iterable[tuple[int, frozenset[str] | None]]) -> None:
        self._always: list[int] = []
        self._numbers: dict[str, list[int]] = {}
        for number, texts in entries:
            if texts is None:
                self._always.append(number)
            for text in texts or ():
                self._numbers.setdefault(text, []).append(number)
        #: Whether there are no patterns.
        self.is_empty = not self._always and not self._numbers
        self._search = _regex_of(self._numbers).search if self._numbers else None
        self._shortest = min(map(len, self._numbers), default=0)

    def candidates(self, text: str) -> list[int]:
        """The numbers of the patterns that may match ``text``, in order."""
        if self._search is None or (found := self._search(text)) is None:
            return self._always
        # A set: a text may repeat one literal many times.
        longest = {found[0]}
        while (found := self._search(text, found.start() + 1)) is not None:
            longest.add(found[0])
        numbers = set(self._always)
        for held in longest:
            # The search finds the longest literal; shorter ones at that place are its prefixes.
            for end in range(self._shortest, len(held) + 1):
                numbers.update(self._numbers.get(held[:end], ()))
        return sorted(numbers)


def _regex_of(texts: Iterable[str]) -> re.Pattern[str]:
    """A regular expression for the longest of ``texts`` at the first place of any of them."""
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
