"""Tab completion of commands from their usage strings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: A literal word of a usage: neither a placeholder nor optional.
_LITERAL = re.compile(r"[^A-Z\[\](){}<>|.\s]+")


def completions(line: str, usages: Iterable[str]) -> list[str]:
    """The completions of ``line``, sorted: the literal words at the start of each usage.

    With the usage ``deploy APP [to ENV]``, ``de`` becomes ``deploy ``; the user
    types the arguments.
    """
    heads = {_head(usage) for usage in usages}
    return sorted(head for head in heads if head.startswith(line) and head.strip() != line.strip())


def _head(usage: str) -> str:
    words: list[str] = []
    for word in usage.split():
        if not _LITERAL.fullmatch(word):
            # The trailing blank: an argument follows.
            return " ".join(words) + " " if words else ""
        words.append(word)
    return " ".join(words)
