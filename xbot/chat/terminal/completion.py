"""How a command goes on that somebody has begun to write. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: A word of a usage that stands for itself: neither a placeholder nor something optional.
_LITERAL = re.compile(r"[^A-Z\[\](){}<>|.\s]+")


def completions(line: str, usages: Iterable[str]) -> list[str]:
    """All that ``line`` may become, sorted: as much of each usage as is said literally.

    ``deploy APP [to ENV]`` makes ``deploy `` of ``de``. What comes after is
    for whoever writes.
    """
    heads = {_head(usage) for usage in usages}
    return sorted(head for head in heads if head.startswith(line) and head.strip() != line.strip())


def _head(usage: str) -> str:
    words: list[str] = []
    for word in usage.split():
        if not _LITERAL.fullmatch(word):
            # A blank: something has to follow.
            return " ".join(words) + " " if words else ""
        words.append(word)
    return " ".join(words)
