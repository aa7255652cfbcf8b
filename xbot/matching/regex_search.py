"""A regular expression search with a time limit, which lets other threads run meanwhile.

The package ``regex`` reads patterns almost as :mod:`re` does. What it would read otherwise is
escaped before; where its tables of characters are of another Unicode the two may differ
(docs/design/patterns.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from time import process_time
from typing import Any

from attrs import define, field

from xbot.matching.pattern import MAX_SEARCHED, Pattern

#: Seconds of the process's CPU that a pattern may take on a text.
LIMIT = 0.05

#: Once all patterns together took so many, the others are not tried on that text.
LIMIT_OF_ALL = 0.2

Groups = dict[str, str] | None
"""The named groups that took part; None where the text does not fit."""

_FLAGS = ("IGNORECASE", "MULTILINE", "DOTALL", "VERBOSE", "ASCII", "UNICODE")

# What is taken as it is comes first: escapes, comments, and repeats.
_TOKENS = (
    r"\\N\{{[^}}]*\}}|\\.|\(\?\#[^)]*\){comments}|\{{\d*,\d*\}}|\{{\d+\}}"
    r"|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<brace>\{{)"
)
_PLAIN = re.compile(_TOKENS.format(comments=""), re.DOTALL)
_VERBOSE = re.compile(_TOKENS.format(comments=r"|\#[^\n]*"), re.DOTALL)
_IN_SET = re.compile(r"\\.|(?P<bracket>\[)", re.DOTALL)


@define(eq=False)
class Search:
    """Patterns to try on a text, and what came of it so far."""

    text: str
    patterns: Sequence[Pattern]
    #: For each pattern that was tried, in order.
    found: list[Groups] = field(factory=list)
    #: The places of those that took too long.
    too_long: list[int] = field(factory=list)
    #: The places of those that ``regex`` does not understand.
    misread: list[int] = field(factory=list)


def run(search: Search, cpu: Callable[[], float] = process_time) -> Search:
    """Try the patterns; meant for a thread, where the GIL is free while ``regex`` searches."""
    end = cpu() + LIMIT_OF_ALL
    for place, pattern in enumerate(search.patterns):
        groups: Groups = None
        if cpu() < end:
            try:
                groups = find(pattern, search.text)
            except (TimeoutError, MemoryError):
                search.too_long.append(place)
            except Unreadable:
                search.misread.append(place)
        search.found.append(groups)
    return search


class Unreadable(Exception):
    """``regex`` does not take the pattern, though :mod:`re` does."""


def find(pattern: Pattern, text: str) -> Groups:
    """What :meth:`Pattern.find` says, unless it takes too long.

    :raises TimeoutError: when it does.
    :raises Unreadable: when ``regex`` does not take the pattern.
    """
    regex = compiled(pattern)
    # The text in the same pieces as there.
    if pattern.kind == "match":
        if len(text) > MAX_SEARCHED:
            return None
        found = regex.fullmatch(text, concurrent=True, timeout=LIMIT)
    else:
        found = regex.search(text, 0, MAX_SEARCHED, concurrent=True, timeout=LIMIT)
    if found is None:
        return None
    return {name: value for name, value in found.groupdict().items() if value is not None}


@lru_cache(1024)
def compiled(pattern: Pattern) -> Any:
    """The pattern as ``regex`` has it, or :class:`Unreadable`."""
    # Most bots need none of it.
    import regex

    given = pattern.regex
    flags = regex.VERSION0
    for name in _FLAGS:
        if given.flags & getattr(re, name):
            flags |= getattr(regex, name)
    try:
        source = as_regex_reads_it(given.pattern, verbose=bool(given.flags & re.VERBOSE))
        return regex.compile(source, flags, cache_pattern=False)
    except (regex.error, RecursionError, ValueError) as error:
        raise Unreadable(str(error)) from error


def as_regex_reads_it(source: str, *, verbose: bool = False) -> str:
    r"""A pattern of :mod:`re` without what means something else to ``regex``.

    That is a brace which is no repeat, as in ``a{e}`` (there: with an error), and a bracket in
    a set, as in ``[[:digit:]]`` (there: a POSIX class).
    """
    return (_VERBOSE if verbose else _PLAIN).sub(_escaped, source)


def _escaped(token: re.Match[str]) -> str:
    if token["brace"]:
        return r"\{"
    if token["set"]:
        return "[" + _IN_SET.sub(lambda each: r"\[" if each["bracket"] else each[0], token[0][1:])
    return token[0]
