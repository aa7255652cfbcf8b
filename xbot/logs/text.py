"""Sanitise text from strangers for one log line: escape control characters, cut to a limit."""

from __future__ import annotations

import re

# Control characters (CR, LF, ESC, C1...), line separators, and bidirectional controls: in
# a terminal or a pager each could make one record look like another. Lone surrogates
# cannot be encoded.
_ACTS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

#: The mark at the end of a text that was cut.
CUT = " [cut]"


def escape(text: str) -> str:
    """``text`` on one line, with control characters as Python escapes: ``\\n``, ``\\x1b``."""
    if text.isascii() and text.isprintable():
        return text
    return _ACTS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def cut(text: str, limit: int) -> str:
    """``text``, or its beginning with the mark CUT, within ``limit`` bytes of UTF-8."""
    if len(text) <= (limit if text.isascii() else limit // 4):
        return text
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= limit:
        return text
    return data[: max(0, limit - len(CUT))].decode("utf-8", "ignore") + CUT
