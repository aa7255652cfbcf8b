"""Regular expression search with a time limit (ReDoS protection), by the package ``regex``.

It releases the GIL while it searches. ``regex`` has almost the syntax of :mod:`re`; the
differences are escaped before. Where the two have tables of different Unicode versions, their
results may differ (docs/design/patterns.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from time import process_time
from typing import Any

from attrs import define, field

from xbot.matching.pattern import MAX_SEARCHED, Pattern

#: Time limit of one pattern on one text, in seconds of the process's CPU time.
LIMIT = 0.05

#: Time limit of all patterns on one text, in seconds; the rest are not tried.
LIMIT_OF_ALL = 0.2

Groups = dict[str, str] | None
"""The named groups of a match; None if the text does not match."""

_FLAGS = ("IGNORECASE", "MULTILINE", "DOTALL", "VERBOSE", "ASCII", "UNICODE")

# The first alternatives stay as they are: escapes, comments, and repeats.
_TOKENS = (
    r"\\N\{{[^}}]*\}}|\\.|\(\?\#[^)]*\){comments}|\{{\d*,\d*\}}|\{{\d+\}}"
    r"|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<brace>\{{)"
)
_PLAIN = re.compile(_TOKENS.format(comments=""), re.DOTALL)
_VERBOSE = re.compile(_TOKENS.format(comments=r"|\#[^\n]*"), re.DOTALL)
_IN_SET = re.compile(r"\\.|(?P<bracket>\[)", re.DOTALL)


@define(eq=False)
class Search:
    """Patterns to try on a text, and the results so far."""

    text: str
    patterns: Sequence[Pattern]
    #: The result of each pattern that was tried, in order.
    found: list[Groups] = field(factory=list)
    #: Indexes of the patterns that timed out, and of those that were not tried after that.
    too_long: list[int] = field(factory=list)
    untried: list[int] = field(factory=list)
    #: Indexes of the patterns that ``regex`` cannot compile.
    misread: list[int] = field(factory=list)


def run(search: Search, cpu: Callable[[], float] = process_time) -> Search:
    """Try all patterns; call it in a thread, since ``regex`` releases the GIL."""
    end = cpu() + LIMIT_OF_ALL
    for place, pattern in enumerate(search.patterns):
        groups: Groups = None
        if cpu() >= end:
            search.untried.append(place)
        else:
            try:
                groups = find(pattern, search.text)
            except (TimeoutError, MemoryError):
                search.too_long.append(place)
            except Unreadable:
                search.misread.append(place)
        search.found.append(groups)
    return search


class Unreadable(Exception):
    """``regex`` cannot compile the pattern, though :mod:`re` can."""


def find(pattern: Pattern, text: str) -> Groups:
    """The same as :meth:`Pattern.find`, with a time limit.

    :raises TimeoutError: when it is exceeded.
    :raises Unreadable: when ``regex`` cannot compile the pattern.
    """
    regex = compiled(pattern)
    # The same limits on the text's length as in Pattern.find.
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
    """Compile the pattern with ``regex``, or raise :class:`Unreadable`."""
    # Imported late: most bots have no slow pattern.
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
    r"""Escape what ``regex`` would read differently from :mod:`re`.

    These are braces without a repeat, as in ``a{e}`` (in regex a fuzzy match), and brackets
    in a set, as in ``[[:digit:]]`` (in regex a POSIX class).
    """
    return (_VERBOSE if verbose else _PLAIN).sub(_escaped, source)


def _escaped(token: re.Match[str]) -> str:
    if token["brace"]:
        return r"\{"
    if token["set"]:
        return "[" + _IN_SET.sub(lambda each: r"\[" if each["bracket"] else each[0], token[0][1:])
    return token[0]
