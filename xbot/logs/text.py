"""Text that others said, made harmless for a line."""

from __future__ import annotations

import re

# Controls (CR, LF, ESC, C1...), line separators, and what turns the direction of
# text around: in a terminal or a pager each could make a record look like another.
# A lone surrogate could not even be written.
_ACTS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

#: What stands where a text was cut.
CUT = " [cut]"


def escape(text: str) -> str:
    """``text`` on one line, with all that could act written as Python would write it."""
    if text.isascii() and text.isprintable():
        return text
    return _ACTS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def cut(text: str, limit: int) -> str:
    """``text``, or as much of it as fits into ``limit`` bytes of UTF-8 with a mark that says so."""
    if len(text) <= (limit if text.isascii() else limit // 4):
        return text
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= limit:
        return text
    return data[: max(0, limit - len(CUT))].decode("utf-8", "ignore") + CUT
