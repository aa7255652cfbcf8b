"""What a backtracking search may cost at worst: enough to tell the harmless patterns."""

from __future__ import annotations

from typing import Literal, NamedTuple

from xbot.matching.pattern import MAX_SEARCHED
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

#: Steps, of about 20 ns. What takes no more holds nobody up.
HARMLESS = 500_000

_ENDLESS = 10**12


class _Cost(NamedTuple):
    """Bounds: in how many ways it can match at one place, and the steps of trying them all."""

    ways: int
    steps: int


def is_harmless(kind: Literal["match", "hear"], tree: Node) -> bool:
    """Whether re itself surely is done with any text that is searched in a few milliseconds."""
    steps = _cost(tree).steps
    if kind == "hear":
        # From every place anew. One that is bound to the start fails in its first step.
        steps = steps + MAX_SEARCHED if _is_at_start(tree) else steps * MAX_SEARCHED
    return steps <= HARMLESS


def _is_at_start(tree: Node) -> bool:
    first = tree.items[0] if isinstance(tree, Sequence) and tree.items else tree
    return isinstance(first, At) and first.where == "start"


def _cost(node: Node) -> _Cost:
    match node:
        case Chars() | At():
            return _Cost(1, 1)
        case Group(item):
            return _cost(item)
        case Sequence(items):
            ways, steps = 1, 1
            for each in map(_cost, items):
                steps += ways * each.steps
                ways *= each.ways
            return _capped(ways, steps)
        case Either(branches):
            costs = [_cost(each) for each in branches]
            steps = sum(each.steps + 1 for each in costs)
            return _capped(sum(each.ways for each in costs), steps)
        case Repeat():
            return _of_repeat(node)
        case Special(construct, inner, takes_text):
            costs = [_cost(each) for each in inner]
            # A backreference compares as much text as there is.
            steps = sum(each.steps + 1 for each in costs) + (MAX_SEARCHED if takes_text else 0)
            if construct == "a condition on a group":
                return _capped(sum(each.ways for each in costs) + 1, steps)
            # What is inside is not tried again once it matched.
            return _capped(1, steps) if inner or construct == "a backreference" else _NOBODY_KNOWS


_NOBODY_KNOWS = _Cost(_ENDLESS, _ENDLESS)


def _of_repeat(node: Repeat) -> _Cost:
    item = _cost(node.item)
    most = MAX_SEARCHED if node.most is None else min(node.most, MAX_SEARCHED)
    if item.ways > 1 or is_nullable(node.item):
        if most > 1:
            # Each turn multiplies the ways.
            turns = min(most, 60)
            ways = max(item.ways, 2) ** turns
            steps = item.steps * ways if most <= 60 else _ENDLESS
            return _capped(1 if node.mode == "possessive" else 2 * ways, 2 * steps)
        most = 1
    ways = item.ways * most + 1
    steps = (item.steps + 1) * most + 1
    return _capped(1 if node.mode == "possessive" else ways, steps)


def _capped(ways: int, steps: int) -> _Cost:
    return _Cost(min(ways, _ENDLESS), min(steps, _ENDLESS))
