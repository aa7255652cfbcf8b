"""Required literals: plain texts that every match of a pattern contains. For prefilters.

All comparisons are of *folded* texts. Letters that re takes for the same when it
ignores case fold to the same text, so there are no false negatives; false
positives only cost a search in vain.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from xbot.matching.tree import At, Chars, Either, Group, Node, Repeat, Sequence, Special

#: Maximum number of alternative literals of a pattern, and their maximum length.
MAX_TEXTS = 32
MAX_LENGTH = 24

_EMPTY = frozenset({""})


def folded(text: str) -> str:
    """``text`` casefolded for comparison, as re compares letters when it ignores case."""
    if text.isascii():
        return text.lower()
    # Unicode's case folding keeps these two distinct from i; re does not.
    return text.replace("\u0130", "i").replace("\u0131", "i").casefold()


def beginnings(tree: Node) -> frozenset[str] | None:
    """Folded prefixes: every match of ``tree`` begins with one of them. None if unknown."""
    known = _known(tree)
    starts = known.texts if known.texts is not None else known.starts
    return None if not starts or "" in starts else starts


def is_plain(tree: Node) -> bool:
    """Whether every match of ``tree`` is exactly one of its :func:`beginnings`."""
    return _known(tree).texts is not None


def required(tree: Node) -> frozenset[str] | None:
    """Folded literals: every match of ``tree`` contains one of them. None if unknown."""
    known = _known(tree)
    best = _better(known.texts, known.held)
    # A single ASCII letter is in most texts and filters little; a non-ASCII one is rare.
    return None if best is None or min(map(_weight, best)) < 2 else best


class _Known(NamedTuple):
    """Literals known of every match of a node.

    ``texts``: it is one of these. ``starts``: it begins with one of these. ``held``:
    it contains one of these. None: unknown.
    """

    texts: frozenset[str] | None
    starts: frozenset[str] = _EMPTY
    held: frozenset[str] | None = None


_NOTHING = _Known(None)


def _known(node: Node) -> _Known:
    match node:
        case Chars(literal=str() as literal):
            return _Known(frozenset({folded(literal)}))
        case At():
            return _Known(_EMPTY)
        case Sequence(items):
            return _of_sequence([_known(item) for item in items])
        case Either(branches):
            return _of_either([_known(branch) for branch in branches])
        case Group(item):
            return _known(item)
        case Repeat(item, least, most):
            return _of_repeat(_known(item), least, most)
        case Special(inner=(item,), takes_text=True, construct="an atomic group"):
            return _known(item)
        case Special(takes_text=False):
            return _Known(_EMPTY)
    return _NOTHING


def _of_sequence(items: Iterable[_Known]) -> _Known:
    texts: frozenset[str] = _EMPTY
    starts: frozenset[str] | None = None
    held: frozenset[str] | None = None
    whole = True
    for each in items:
        longer = None if each.texts is None else _joined(texts, each.texts)
        if longer is not None:
            texts = longer
            continue
        if starts is None:
            # Everything before this item is known exactly.
            begun = each.texts if each.texts is not None else each.starts
            starts = _joined(texts, begun) or texts
        held = _better(_better(held, texts), _better(each.texts, each.held))
        whole, texts = False, each.texts if each.texts is not None else _EMPTY
    if whole:
        return _Known(texts)
    assert starts is not None
    return _Known(None, starts, _better(held, texts))


def _of_either(branches: Iterable[_Known]) -> _Known:
    branches = list(branches)
    texts = _union(each.texts for each in branches)
    if texts is not None:
        return _Known(texts)
    starts = _union(each.texts if each.texts is not None else each.starts for each in branches)
    held = _union(_better(each.texts, each.held) for each in branches)
    return _Known(None, starts or _EMPTY, held)


def _of_repeat(item: _Known, least: int, most: int | None) -> _Known:
    if least == 0:
        optional = _union((_EMPTY, item.texts)) if most == 1 else None
        return _Known(optional) if optional is not None else _NOTHING
    if most == 1:
        return item
    if item.texts is not None:
        return _Known(None, item.texts, item.texts)
    return _Known(None, item.starts, item.held)


def _joined(firsts: frozenset[str], seconds: frozenset[str]) -> frozenset[str] | None:
    if len(firsts) * len(seconds) > MAX_TEXTS:
        return None
    joined = frozenset(first + second for first in firsts for second in seconds)
    return None if max(map(len, joined)) > MAX_LENGTH else joined


def _union(sets: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    union: frozenset[str] = frozenset()
    for each in sets:
        if each is None:
            return None
        union |= each
    return union if len(union) <= MAX_TEXTS else None


def _better(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """The more selective set: the one whose shortest text is longer."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other, key=lambda texts: (min(map(_weight, texts)), -len(texts)))


def _weight(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
