"""Patterns run by re2: in time linear in the text, with re's meaning exactly.

What re2 might take otherwise than re is not given to it:

=============================  =====================================================
classes, case, word borders    it gets bytes that re chose (:mod:`xbot.matching.alphabet`)
groups without a name          nobody asks for what they captured; they capture nothing
a named group that is repeated re2 and re may differ in what the last turn captured
an empty turn of a repeat      ``(a*)*``: where to stop is a matter of taste
a change to ASCII within       re's search mistakes ``(?a:\\W)`` at the beginning
``$``                          the end or a last line break; rewritten where nothing follows
``\\B``                         re (before 3.14) does not find it in an empty text
look-around, backreferences,
conditions, atomic groups,
possessive repeats             not in re2
repeats above 1,000, or large  re2 refuses; large programs are slow in re2 as well
=============================  =====================================================
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from xbot.errors import XbotError
from xbot.matching.alphabet import LINE_BREAK, Alphabet, TooManyKinds, word_set
from xbot.matching.pattern import Pattern
from xbot.matching.tree import (
    At,
    Chars,
    Either,
    Group,
    Node,
    Repeat,
    Sequence,
    Special,
    is_nullable,
    parts,
    shown,
)

if TYPE_CHECKING:
    import re2

#: The largest program, in re2's instructions. One step may look at all of them.
MAX_PROGRAM = 500


class NotLinear(XbotError):
    """re2 cannot run it, or not with re's meaning; ``construct`` is why."""

    def __init__(self, construct: str) -> None:
        super().__init__(f"{construct} has no equal in re2")
        self.construct = construct


class Linear:
    """A pattern's tree as re2 runs it; :class:`NotLinear` where that might differ from re."""

    def __init__(self, pattern: Pattern, tree: Node) -> None:
        self._tree = tree
        self._is_whole = pattern.kind == "match"
        self._names: list[str] = []
        nodes = list(parts(tree))
        is_ascii = bool(pattern.regex.flags & re.ASCII)
        if any(isinstance(node, At | Chars) and node.is_ascii != is_ascii for node in nodes):
            raise NotLinear("a change between ASCII and Unicode")
        has_borders = any(isinstance(node, At) and node.where == "border" for node in nodes)
        sets = dict.fromkeys(node for node in nodes if isinstance(node, Chars))
        if any(isinstance(node, At) and node.where in _OF_LINES for node in nodes):
            sets[LINE_BREAK] = None
        self._numbers = {each: number for number, each in enumerate(sets)}
        word = word_set(is_ascii) if has_borders else None
        try:
            self._alphabet = Alphabet(list(sets), word)
        except TooManyKinds as error:
            raise NotLinear(str(error)) from error
        self._compile()

    def find(self, text: str) -> dict[str, str] | None:
        """The named groups that took part, or None. May raise :class:`NotLinear`."""
        try:
            encoded = self._alphabet.encode(text)
        except TooManyKinds as error:
            raise NotLinear(str(error)) from error
        if self._alphabet.size != self._size:
            self._compile()
        found = self._run(encoded)
        if found is None:
            return None
        spans = ((name, found.span(number)) for number, name in enumerate(self._names, 1))
        return {name: text[start:end] for name, (start, end) in spans if start >= 0}

    def _compile(self) -> None:
        # Most patterns are harmless, and need none of it.
        import re2

        self._size = self._alphabet.size
        self._names.clear()
        translated = self._translated(self._tree, is_last=True).encode("latin-1")
        try:
            regex = re2.compile(translated, _options())
        except re2.error as error:
            raise NotLinear("a repeat of this size") from error
        if regex.programsize > MAX_PROGRAM:
            raise NotLinear("a repeat of this size")
        self._run = regex.fullmatch if self._is_whole else regex.search

    def _translated(self, node: Node, is_last: bool) -> str:
        """``is_last``: nothing can follow, and no group ends here."""
        match node:
            case Chars():
                return _class(self._alphabet.members(self._numbers[node]))
            case At():
                return self._place(node, is_last)
            case Sequence(items):
                ends = range(len(items) - 1, -1, -1)
                return "".join(
                    self._translated(item, is_last and not left)
                    for item, left in zip(items, ends, strict=True)
                )
            case Either(branches):
                return f"(?:{'|'.join(self._translated(each, is_last) for each in branches)})"
            case Group(item, name):
                self._names.append(name)
                # A line break after which the text ends would be in the group.
                return f"({self._translated(item, is_last and self._is_whole)})"
            case Repeat():
                return self._repeat(node, is_last)
            case Special(construct):
                raise NotLinear(construct)

    def _place(self, place: At, is_last: bool) -> str:
        if place.where == "no-border":
            raise NotLinear(r"\B")
        if place.where == "almost-end":
            if not is_last:
                raise NotLinear("a $ that something may follow")
            if self._is_whole:
                return r"\z"
            return f"(?:{self._line_break()})?\\z"
        return _PLACES[place.where]

    def _line_break(self) -> str:
        return _class(self._alphabet.members(self._numbers[LINE_BREAK]))

    def _repeat(self, node: Repeat, is_last: bool) -> str:
        if node.mode == "possessive":
            raise NotLinear("a possessive repeat")
        if node.most != 1:
            if is_nullable(node.item):
                raise NotLinear(f"{shown(node)}, which may repeat nothing,")
            if any(isinstance(each, Group) for each in parts(node.item)):
                raise NotLinear(f"{shown(node)}, which captures again and again,")
        most = "" if node.most is None else node.most
        lazy = "?" if node.mode == "lazy" else ""
        item = self._translated(node.item, is_last and node.most == 1)
        return f"(?:{item}){{{node.least},{most}}}{lazy}"


_OF_LINES = ("line-start", "line-end", "almost-end")
_PLACES = {
    "start": r"\A",
    "end": r"\z",
    "line-start": "(?m:^)",
    "line-end": "(?m:$)",
    "border": r"\b",
}


def _class(members: bytes) -> str:
    inner = "".join(f"\\x{byte:02x}" for byte in members)
    return f"[{inner}]" if inner else r"[^\x00-\xff]"


@lru_cache(1)
def _options() -> re2.Options:
    import re2

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    return options
