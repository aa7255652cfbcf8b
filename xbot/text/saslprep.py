"""SASLprep: normalise user names and passwords before hashing (RFC 4013)."""

from __future__ import annotations

import stringprep
import unicodedata

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str:
    """``text`` prepared as a "query" (RFC 3454 section 7): unassigned code points are allowed.

    :raises ValueError: for a character that is prohibited, and for text that
        mixes directions (RFC 3454, section 6). The message never shows the text.
    """
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    normalized = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(table(character) for character in normalized for table in _PROHIBITED):
        raise ValueError("a character that SASLprep prohibits")
    _check_directions(normalized)
    return normalized


def _check_directions(text: str) -> None:
    if not any(stringprep.in_table_d1(character) for character in text):
        return
    if any(stringprep.in_table_d2(character) for character in text):
        raise ValueError("text of both directions")
    if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
        raise ValueError("right-to-left text that does not begin and end so")
