"""Derive a usage line for people from a regular expression."""

from __future__ import annotations

import re

_NAMED_GROUP = re.compile(r"\(\?P<(\w+)>(?:[^()\\]|\\.)*\)")
_OPTIONAL_GROUP = re.compile(r"(\s?)\((?:\?:)?(\s?)([^()|]+)\)\?")
_OPTIONAL_WORD = re.compile(r"\b([A-Z_][A-Z0-9_]*)\?")


def readable(pattern: str) -> str | None:
    """The usage line: ``deploy APP [to ENV]`` for ``deploy (?P<app>\\w+)( to (?P<env>\\w+))?``.

    None for a pattern that has no such simple form.
    """
    text = _NAMED_GROUP.sub(lambda found: found[1].upper(), pattern)
    if "[" in text:
        return None
    text = _OPTIONAL_WORD.sub(r"[\1]", text)
    text = _OPTIONAL_GROUP.sub(r"\1\2[\3]", text)
    text = text.strip().removeprefix("^").removesuffix("$")
    return None if not text or re.search(r"[\\^$.*+?{}()|]", text) else text
