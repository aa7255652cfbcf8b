"""Shadowed commands: patterns that never get a text, because an earlier one takes it.

A heuristic without false alarms: sample texts are generated from each pattern, and it is
reported only if an earlier pattern takes all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from attrs import frozen

from xbot.matching.matcher import Matcher
from xbot.matching.pattern import Pattern
from xbot.matching.strategy import strategy_of
from xbot.matching.tree import At, Chars, Either, Group, Node, Repeat, Special, parts
from xbot.matching.tree import Sequence as InSequence

#: Numbers of repeats in the samples, and their characters.
_TURNS = (1, 1, 2, 3, 40, 1)
_CHARACTERS = ("x", "7", "é", "Ж", "q", "_", " ", "-", "!", "\n")

#: Patterns with more alternatives, or longer samples, are skipped.
MAX_SAMPLES = 60
MAX_LENGTH = 200

K = TypeVar("K", bound=Hashable)


@frozen
class Taken(Generic[K]):
    """The pattern of ``key`` is shadowed by ``by``; ``text`` is an example."""

    key: K
    by: K
    text: str


def taken(
    patterns: Sequence[tuple[K, Pattern, str | None]], answers_wherever: Callable[[K, K], bool]
) -> list[Taken[K]]:
    """The commands among ``patterns`` that an earlier one shadows.

    ``patterns`` are (key, pattern, example of a text or None). ``answers_wherever(one,
    other)`` is True if ``one`` answers in every place where ``other`` does.
    """
    # Slow patterns are skipped.
    known = [
        (number, key, pattern, example)
        for number, (key, pattern, example) in enumerate(patterns)
        if pattern.kind == "match" and strategy_of(pattern).quick_length >= MAX_LENGTH
    ]
    matcher = Matcher((number, pattern) for number, _, pattern, _ in known)
    found = []
    for number, key, pattern, example in known:
        takers = [
            (next(_earlier(matcher, text, number, patterns, answers_wherever), None), text)
            for text in samples(pattern, example)
        ]
        if takers and all(by is not None for by, _ in takers):
            by, text = takers[0]
            assert by is not None
            found.append(Taken(key, by, text))
    return found


def _earlier(
    matcher: Matcher[int],
    text: str,
    number: int,
    patterns: Sequence[tuple[K, Pattern, str | None]],
    answers_wherever: Callable[[K, K], bool],
) -> Iterator[K]:
    commands = matcher.commands(text)
    # A list and no Deferred: there are no slow patterns among them.
    assert isinstance(commands, list)
    for each in commands:
        other = patterns[each.key][0]
        if each.key < number and answers_wherever(other, patterns[number][0]):
            yield other


def samples(pattern: Pattern, example: str | None = None) -> list[str]:
    """Various sample texts that the pattern matches; none if they cannot be generated."""
    tree = strategy_of(pattern).tree
    most = max((len(each.branches) for each in parts(tree) if isinstance(each, Either)), default=0)
    if most > MAX_SAMPLES or any(isinstance(each, Special) for each in parts(tree)):
        return []
    made = [_sample(tree, variant) for variant in range(max(most, len(_CHARACTERS)))]
    # A command is stripped before it is matched.
    said = [text for text in made if text == text.strip()]
    texts = dict.fromkeys([*([example] if example else []), *said])
    if max(map(len, texts), default=0) > min(MAX_LENGTH, strategy_of(pattern).quick_length):
        return []
    fitting = [text for text in texts if pattern.find(text) is not None]
    # If a sample does not match, we have not understood the pattern.
    return fitting if len(fitting) == len(texts) else []


def _sample(node: Node, variant: int) -> str:
    match node:
        case Chars(literal=str() as literal):
            return literal
        case Chars():
            return _member(node, variant)
        case InSequence(items):
            return "".join(_sample(item, variant) for item in items)
        case Either(branches):
            return _sample(branches[variant % len(branches)], variant)
        case Repeat(item, least, most):
            # The first variant has the minimum of repeats.
            turns = least if variant == 0 else max(least, _TURNS[variant % len(_TURNS)])
            return _sample(item, variant) * (turns if most is None else min(turns, most))
        case Group(item):
            return _sample(item, variant)
        case At() | Special():
            return ""


def _member(chars: Chars, variant: int) -> str:
    turned = variant % len(_CHARACTERS)
    members = chars.regex.findall(
        "".join((*_CHARACTERS[turned:], *_CHARACTERS[:turned], *map(chr, range(33, 0x500))))
    )
    return members[0] if members else ""


def never_asked(
    fallbacks: Iterable[K], answers_wherever: Callable[[K, K], bool]
) -> list[tuple[K, K]]:
    """Fallbacks that an earlier fallback shadows, each with that one."""
    found = []
    before: list[K] = []
    for key in fallbacks:
        first = next((other for other in before if answers_wherever(other, key)), None)
        if first is not None:
            found.append((key, first))
        before.append(key)
    return found
