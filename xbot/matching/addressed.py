"""Addressing: whether a text addresses the bot by name or prefix, and what follows. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

#: Behind the name: a colon, a comma or a semicolon, also of full width (CJK keyboards), or a blank.
_SEPARATOR = re.compile(r"\s*[:,;\uff1a\uff0c\uff1b\u3001]|\s+|\Z")


def addressed_text(body: str, names: tuple[str, ...], prefix: str = "") -> str | None:
    """The text behind one of ``names`` or the prefix; None when ``body`` is not addressed.

    ``xbot: ping``, ``xbot, ping``, ``@xbot ping`` and ``xbot ping`` all give
    ``ping``, and so does ``!ping`` with ``prefix="!"``. ``xbotty ping`` and
    ``xbot's ping`` are not addressed. Names are compared case-insensitively, the
    longest first; the bare name gives the empty text.
    """
    text = body.strip()
    for name in _longest_first(names):
        rest = _after_name(text, name)
        if rest is None and text.startswith("@"):
            rest = _after_name(text[1:], name)
        if rest is not None:
            return rest
    if prefix and text.startswith(prefix):
        return text[len(prefix) :].strip()
    return None


def may_be_addressed(text: str, names: tuple[str, ...], prefix: str = "") -> bool:
    """Fast prefilter for :func:`addressed_text`: no false negatives.

    ``text`` has no blanks around it.
    """
    return text[:1].casefold() in _beginnings(names) or (prefix != "" and text.startswith(prefix))


@lru_cache(maxsize=1024)
def _beginnings(names: tuple[str, ...]) -> frozenset[str]:
    """Everything that the first character of a text to one of ``names`` can fold to, and @."""
    folded = [name.strip().casefold() for name in names]
    # No character casefolds to more than three.
    return frozenset({"@", *(name[:length] for name in folded for length in (1, 2, 3) if name)})


@lru_cache(maxsize=1024)
def _longest_first(names: tuple[str, ...]) -> list[str]:
    """The names, casefolded, longest first."""
    longest = sorted({name.strip() for name in names} - {""}, key=len, reverse=True)
    return [name.casefold() for name in longest]


def _after_name(text: str, folded_name: str) -> str | None:
    end = _end_of_name(text, folded_name)
    if end is None:
        return None
    separator = _SEPARATOR.match(text, end)
    return text[separator.end() :].strip() if separator else None


def _end_of_name(text: str, folded_name: str) -> int | None:
    beginning = text[: len(folded_name)]
    if beginning.isascii() and folded_name.isascii():
        return len(folded_name) if beginning.lower() == folded_name else None
    # Case folding can lengthen a text (a sharp s becomes two letters), so the
    # name's length is not the index of its end in the text.
    rest = folded_name
    for position, character in enumerate(text):
        folded = character.casefold()
        if not rest.startswith(folded):
            return None
        rest = rest[len(folded) :]
        if not rest:
            return position + 1
    return None
