"""ReDoS lint: find constructs of a pattern that can cause catastrophic backtracking in re."""

from __future__ import annotations

from collections.abc import Iterator

from xbot.matching.tree import (
    At,
    Chars,
    Either,
    Group,
    Node,
    Repeat,
    Sequence,
    Special,
    inside,
    is_nullable,
    parts,
    shown,
)

#: Sample characters that stand for all characters where character sets are compared.
_SAMPLES = "".join(map(chr, range(0x250))) + "\u0430\u0416\u4e2d\u0663\u2003\u2014\U0001f600"


def dangers(tree: Node) -> list[str]:
    """Constructs that can backtrack catastrophically, in words; empty when there are none."""
    found = dict.fromkeys(_dangers(tree))
    return list(found)


def _dangers(node: Node) -> Iterator[str]:
    if isinstance(node, Repeat) and _can_repeat(node) and node.mode != "possessive":
        inner = next(
            (each for each in parts(node.item) if isinstance(each, Repeat) and _is_free(each)), None
        )
        alike = any(isinstance(e, Either) and _overlaps(e, node.item) for e in parts(node.item))
        if inner is not None and not _has_separator(node.item, inner):
            yield f"a repeat inside a repeat, {shown(node)}"
        elif alike:
            yield f"alternatives that fit the same text, repeated, {shown(node)}"
    if isinstance(node, Sequence):
        yield from _neighbours(node)
    for each in inside(node):
        yield from _dangers(each)


def _can_repeat(node: Repeat) -> bool:
    return node.most is None or node.most > 9


def _is_free(node: Repeat) -> bool:
    """Whether the repeat can match more or less of the same text (by backtracking)."""
    return _can_repeat(node) and node.mode != "possessive"


def _has_separator(item: Node, inner: Repeat) -> bool:
    """Whether each iteration has a character, not in ``inner``, that separates iterations."""
    if not isinstance(item, Sequence) or inner not in item.items:
        return False
    taken = _all_of(inner.item)
    others = [each for each in item.items if each is not inner]
    return any(not is_nullable(each) and not _all_of(each) & taken for each in others)


def _neighbours(node: Sequence) -> Iterator[str]:
    """Adjacent repeats of the same characters, with no required separator between them."""
    before: Repeat | None = None
    for item in node.items:
        bare = item.item if isinstance(item, Group) else item
        if isinstance(bare, Repeat) and _is_free(bare):
            if before is not None and _can_share(before.item, bare.item):
                yield f"repeats of the same characters, {shown(before)} and {shown(bare)}"
                return
            before = bare
        elif (
            before is not None
            and not is_nullable(bare)
            and not (_all_of(bare) & _all_of(before.item))
        ):
            before = None


def _can_share(one: Node, other: Node) -> bool:
    """Whether an iteration of ``one`` might also be an iteration of ``other``."""
    return bool(_ends(one, 1) & _ends(other, 1) and _ends(one, -1) & _ends(other, -1))


def _overlaps(node: Either, turn: Node) -> bool:
    """Whether two branches may begin alike; an empty branch begins as the next iteration does."""
    seen: set[str] = set()
    for branch in node.branches:
        firsts = _ends(branch, 1)
        if is_nullable(branch):
            firsts |= _ends(turn, 1)
        if firsts & seen:
            return True
        seen |= firsts
    return False


def _ends(node: Node, step: int) -> frozenset[str]:
    """The samples that a match may begin with (``step`` 1), or end with (-1)."""
    match node:
        case Chars():
            return _members(node)
        case At():
            return frozenset()
        case Sequence(items):
            found: frozenset[str] = frozenset()
            for item in items[::step]:
                found |= _ends(item, step)
                if not is_nullable(item):
                    break
            return found
        case Special(takes_text=True, inner=()):
            return frozenset(_SAMPLES)
    return frozenset().union(*(_ends(each, step) for each in inside(node)))


def _all_of(node: Node) -> frozenset[str]:
    """The samples that may be anywhere in a match."""
    found = (each for each in parts(node) if isinstance(each, Chars | Special))
    return frozenset().union(
        *(_members(each) if isinstance(each, Chars) else _SAMPLES for each in found)
    )


def _members(chars: Chars) -> frozenset[str]:
    return frozenset(chars.regex.findall(_SAMPLES))
