"""Worst-case cost of a backtracking search: an upper bound to find patterns safe from ReDoS."""

from __future__ import annotations

from typing import Literal, NamedTuple

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
)

#: Maximum number of steps (2 to 20 ns each) of a harmless pattern, on any text.
HARMLESS = 500_000

#: Maximum number of steps of all patterns together on one text in the reactor: 4 to 40 ms.
BUDGET = 2_000_000

#: Maximum number of steps on short texts, for a pattern that is not harmless. Lower than
#: HARMLESS, because several such patterns may be tried on one text.
QUICK = 200_000

#: Cap: higher numbers of steps are not distinguished.
ENDLESS = 10**12


class _Cost(NamedTuple):
    """Upper bounds: the number of ways to match at one place, and the steps to try them all."""

    ways: int
    steps: int


def steps(kind: Literal["match", "hear"], tree: Node, length: int) -> int:
    """Upper bound of the steps of re on texts up to this length."""
    once = _cost(tree, length).steps
    if kind == "match":
        return once
    # A search tries each place. A pattern with ^ fails at all others in its first step.
    return once + length if _is_at_start(tree) else once * (length + 1)


def _is_at_start(tree: Node) -> bool:
    first = tree.items[0] if isinstance(tree, Sequence) and tree.items else tree
    return isinstance(first, At) and first.where == "start"


def _cost(node: Node, length: int) -> _Cost:
    match node:
        case Chars() | At():
            return _Cost(1, 1)
        case Group(item):
            return _cost(item, length)
        case Sequence(items):
            return _of_sequence(items, length)
        case Either(branches):
            costs = [_cost(each, length) for each in branches]
            steps = sum(each.steps + 1 for each in costs)
            return _capped(sum(each.ways for each in costs), steps)
        case Repeat():
            return _of_repeat(node, length)
        case Special(construct, inner, takes_text):
            costs = [_cost(each, length) for each in inner]
            # A backreference may compare the whole text.
            steps = sum(each.steps + 1 for each in costs) + (length if takes_text else 0)
            if construct == "a condition on a group":
                return _capped(sum(each.ways for each in costs) + 1, steps)
            # Atomic: the inner pattern is not tried again once it has matched.
            return _capped(1, steps) if inner or construct == "a backreference" else _UNKNOWN


_UNKNOWN = _Cost(ENDLESS, ENDLESS)


def _of_sequence(items: tuple[Node, ...], length: int) -> _Cost:
    ways, steps = 1, 1
    # The number of ways from which the next item can go on, if known.
    open_ways: int | None = None
    for item, following in zip(items, (*items[1:], None), strict=False):
        each = _cost(item, length)
        before = ways
        if open_ways is None:
            steps += ways * each.steps
            ways *= each.ways
        else:
            # The other ways fail in their first step, or skip an optional item.
            steps += ways + open_ways * each.steps
            ways = open_ways * each.ways + (ways if is_nullable(item) else 0)
        open_ways = before if following is not None and _is_ended_by(item, following) else None
    return _capped(ways, steps)


def _is_ended_by(item: Node, following: Node) -> bool:
    """Whether ``item`` repeats characters that ``following`` cannot begin with.

    Examples: ``[a-z]+-``, ``[a-z]+(-x)?``. Then ``following`` can begin at one place only,
    where the repeat ends.
    """
    repeat = item.item if isinstance(item, Group) else item
    if not isinstance(repeat, Repeat) or not isinstance(repeat.item, Chars):
        return False
    if isinstance(following, Repeat) and (following.least, following.most) == (0, 1):
        following = following.item
        if isinstance(following, Sequence) and following.items:
            following = following.items[0]
    sign = following.literal if isinstance(following, Chars) else None
    # No letters: they match in other cases, too.
    return (
        sign is not None
        and sign.isascii()
        and not sign.isalpha()
        and repeat.item.regex.fullmatch(sign) is None
    )


def _of_repeat(node: Repeat, length: int) -> _Cost:
    item = _cost(node.item, length)
    may_be_empty = is_nullable(node.item)
    if not may_be_empty:
        most = length if node.most is None else min(node.most, length)
    elif node.most is None:
        # All required turns may be empty, plus one more.
        most = max(node.least, length) + 1
    else:
        most = node.most
    if item.ways > 1 or may_be_empty:
        if most > 1:
            # Each turn multiplies the ways.
            turns = min(most, 60)
            ways = max(item.ways, 2) ** turns
            steps = item.steps * ways if most <= 60 else ENDLESS
            return _capped(1 if node.mode == "possessive" else 2 * ways, 2 * steps)
        most = 1
    ways = item.ways * most + 1
    steps = (item.steps + 1) * most + 1
    return _capped(1 if node.mode == "possessive" else ways, steps)


def _capped(ways: int, steps: int) -> _Cost:
    return _Cost(min(ways, ENDLESS), min(steps, ENDLESS))
