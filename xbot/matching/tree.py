"""Syntax tree (AST) of a regular expression.

The only module that uses the private parser of :mod:`re`, whose trees differ
between Python versions and keep flags apart from the nodes that they change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Literal

from attrs import frozen

#: Maximum nesting depth of groups; deeper ones become a :class:`Special`.
MAX_DEPTH = 40

_TYPE_FLAGS = re.ASCII | re.LOCALE | re.UNICODE
_CATEGORIES = {
    sre.CATEGORY_DIGIT: r"\d",
    sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_SPACE: r"\s",
    sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_WORD: r"\w",
    sre.CATEGORY_NOT_WORD: r"\W",
}


@frozen
class Chars:
    """A character set: the characters that ``source`` matches with ``flags``.

    ``literal`` is the character where the set is a single literal.
    """

    source: str
    flags: int
    literal: str | None = None

    @property
    def is_ascii(self) -> bool:
        """Whether its classes such as ``\\w`` are ASCII-only."""
        return bool(self.flags & re.ASCII)

    @property
    def regex(self) -> re.Pattern[str]:
        """The set as a compiled regular expression."""
        return _compiled(self.source, self.flags)


Where = Literal["start", "end", "almost-end", "line-start", "line-end", "border", "no-border"]


@frozen
class At:
    """A zero-width anchor. ``almost-end`` is ``$``: the end, or before a final line break.

    ``border`` is a word boundary, of ASCII words with ``is_ascii``.
    """

    where: Where
    is_ascii: bool = False


@frozen
class Sequence:
    """Concatenation: one item after the other."""

    items: tuple[Node, ...]


@frozen
class Either:
    """Alternation: the first branch that leads to a match."""

    branches: tuple[Node, ...]


@frozen
class Repeat:
    """Repetition of ``item``, ``least`` to ``most`` times; None is unbounded."""

    item: Node
    least: int
    most: int | None
    mode: Literal["greedy", "lazy", "possessive"] = "greedy"


@frozen
class Group:
    """Named group: ``item``, captured as ``name``. Unnamed groups are not in the tree."""

    item: Node
    name: str


@frozen
class Special:
    """A construct that needs a backtracking search, such as a look-ahead. ``inner``: its nodes.

    ``takes_text`` tells whether it can consume characters.
    """

    construct: str
    inner: tuple[Node, ...] = ()
    takes_text: bool = False


Node = Chars | At | Sequence | Either | Repeat | Group | Special


def parse(regex: re.Pattern[str]) -> Node:
    """The syntax tree of a compiled regular expression."""
    parsed = _parser.parse(regex.pattern, regex.flags)
    names = {number: name for name, number in parsed.state.groupdict.items()}
    return _Reader(names).sequence(parsed, parsed.state.flags, 0)


def is_nullable(node: Node) -> bool:
    """Whether the node may match the empty text."""
    match node:
        case Chars():
            return False
        case Sequence(items):
            return all(map(is_nullable, items))
        case Either(branches):
            return any(map(is_nullable, branches))
        case Repeat(item, least):
            return least == 0 or is_nullable(item)
        case Group(item):
            return is_nullable(item)
    return True


def parts(node: Node) -> Iterator[Node]:
    """The node and all its descendants, depth first."""
    yield node
    for each in inside(node):
        yield from parts(each)


def inside(node: Node) -> tuple[Node, ...]:
    """The node's direct children."""
    match node:
        case Sequence(inner) | Either(inner):
            return inner
        case Repeat(item) | Group(item):
            return (item,)
        case Special(inner=inner):
            return inner
    return ()


def shown(node: Node) -> str:
    """The node as regular-expression source, approximately; for people."""
    match node:
        case Chars(source, literal=literal):
            return source if literal is None else _spelled(ord(literal))
        case At(where):
            return _PLACES[where]
        case Sequence(items):
            return "".join(shown(item) for item in items)
        case Either(branches):
            return f"({'|'.join(map(shown, branches))})"
        case Group(item, name):
            return f"(?P<{name}>{shown(item)})"
        case Repeat(item, least, most, mode):
            inner = shown(item)
            if isinstance(item, Sequence | Repeat):
                inner = f"({inner})"
            times = _TIMES.get((least, most)) or f"{{{least},{'' if most is None else most}}}"
            return inner + times + {"greedy": "", "lazy": "?", "possessive": "+"}[mode]
        case Special(construct):
            return f"({construct})"


_PLACES: dict[Where, str] = {
    "start": "^",
    "end": r"\Z",
    "almost-end": "$",
    "line-start": "^",
    "line-end": "$",
    "border": r"\b",
    "no-border": r"\B",
}
_TIMES = {(0, None): "*", (1, None): "+", (0, 1): "?"}


@lru_cache(1024)
def _compiled(source: str, flags: int) -> re.Pattern[str]:
    return re.compile(source, flags)


class _Reader:
    """Converts the lists of opcodes of re's parser to nodes."""

    def __init__(self, names: dict[int, str]) -> None:
        self._names = names

    def sequence(self, parsed: Any, flags: int, depth: int) -> Node:
        if depth > MAX_DEPTH:
            return Special("groups nested too deeply", takes_text=True)
        items: list[Node] = []
        for operation, argument in parsed:
            node = self._node(operation, argument, flags, depth + 1)
            items.extend(node.items if isinstance(node, Sequence) else [node])
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def _node(self, operation: Any, argument: Any, flags: int, depth: int) -> Node:
        if operation in (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN):
            return _chars(operation, argument, flags)
        if operation is sre.AT:
            return _place(argument, flags)
        if operation is sre.BRANCH:
            return Either(tuple(self.sequence(each, flags, depth) for each in argument[1]))
        if operation is sre.SUBPATTERN:
            number, added, removed, inner = argument
            if added & _TYPE_FLAGS:
                flags &= ~_TYPE_FLAGS
            item = self.sequence(inner, (flags | added) & ~removed, depth)
            name = self._names.get(number)
            return item if name is None else Group(item, name)
        if operation in _REPEATS:
            least, most, inner = argument
            return Repeat(
                self.sequence(inner, flags, depth),
                int(least),
                None if most is sre.MAXREPEAT else int(most),
                _REPEATS[operation],
            )
        return self._special(operation, argument, flags, depth)

    def _special(self, operation: Any, argument: Any, flags: int, depth: int) -> Node:
        if operation in (sre.ASSERT, sre.ASSERT_NOT):
            direction = "ahead" if argument[0] > 0 else "behind"
            return Special(f"a look-{direction}", (self.sequence(argument[1], flags, depth),))
        if operation is sre.ATOMIC_GROUP:
            item = self.sequence(argument, flags, depth)
            return Special("an atomic group", (item,), takes_text=True)
        if operation is sre.GROUPREF:
            return Special("a backreference", takes_text=True)
        if operation is sre.GROUPREF_EXISTS:
            _, *branches = argument
            inner = tuple(self.sequence(each, flags, depth) for each in branches if each)
            return Special("a condition on a group", inner, takes_text=True)
        return Special(str(operation).lower(), takes_text=True)


_REPEATS: dict[Any, Literal["greedy", "lazy", "possessive"]] = {
    sre.MAX_REPEAT: "greedy",
    sre.MIN_REPEAT: "lazy",
    sre.POSSESSIVE_REPEAT: "possessive",
}


def _chars(operation: Any, argument: Any, flags: int) -> Chars:
    kept = flags & (re.IGNORECASE | re.ASCII)
    if operation is sre.LITERAL:
        return Chars(_spelled(argument), kept, chr(argument))
    if operation is sre.NOT_LITERAL:
        return Chars(f"[^{_spelled(argument)}]", kept)
    if operation is sre.ANY:
        return Chars(".", flags & (re.DOTALL | re.ASCII))
    if len(argument) == 1 and argument[0][0] is sre.CATEGORY:
        return Chars(_CATEGORIES[argument[0][1]], kept)
    return Chars(f"[{''.join(_member(*each) for each in argument)}]", kept)


def _member(operation: Any, argument: Any) -> str:
    if operation is sre.NEGATE:
        return "^"
    if operation is sre.RANGE:
        return f"{_spelled(argument[0])}-{_spelled(argument[1])}"
    if operation is sre.CATEGORY:
        return _CATEGORIES[argument]
    return _spelled(argument)


def _spelled(code: int) -> str:
    character = chr(code)
    if character.isalnum() or character in " _":
        return character
    return f"\\{character}" if 32 < code < 127 else f"\\U{code:08x}"


def _place(argument: Any, flags: int) -> At:
    by_lines = bool(flags & re.MULTILINE)
    where: Where
    if argument is sre.AT_BEGINNING:
        where = "line-start" if by_lines else "start"
    elif argument is sre.AT_END:
        where = "line-end" if by_lines else "almost-end"
    elif argument is sre.AT_BEGINNING_STRING:
        where = "start"
    elif argument is sre.AT_END_STRING:
        where = "end"
    else:
        where = "border" if argument is sre.AT_BOUNDARY else "no-border"
    return At(where, bool(flags & re.ASCII))
