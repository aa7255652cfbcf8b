"""Who a text is addressed to. Pure: texts in, texts out."""

from __future__ import annotations

import re
from functools import lru_cache

_SEPARATOR = re.compile(r"\s*[:,]|\s+|\Z")


def addressed_text(body: str, names: tuple[str, ...], prefix: str = "") -> str | None:
    """What ``body`` says to the bearer of ``names``, or None when it speaks to nobody here.

    ``xbot: ping``, ``xbot, ping``, ``@xbot ping`` and ``xbot ping`` all say
    ``ping``, and so does ``!ping`` with ``prefix="!"``. ``xbotty ping`` and
    ``xbot's ping`` are not addressed. Names are compared caselessly, the
    longest first; the bare name says the empty text.
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
    """Whether :func:`addressed_text` could find anything in this; quick, and never wrongly no.

    ``text`` has no blanks around it.
    """
    return text[:1].casefold() in _beginnings(names) or (prefix != "" and text.startswith(prefix))


@lru_cache(maxsize=1024)
def _beginnings(names: tuple[str, ...]) -> frozenset[str]:
    """All that the first character of a text to one of ``names`` can fold to, and the @."""
    folded = [name.strip().casefold() for name in names]
    # No character folds to more than three.
    return frozenset({"@", *(name[:length] for name in folded for length in (1, 2, 3) if name)})


@lru_cache(maxsize=1024)
def _longest_first(names: tuple[str, ...]) -> list[str]:
    """The names, folded."""
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
    # Folding can lengthen a text (a sharp s becomes two letters), so that the
    # name's own length does not say where it ends in the text.
    rest = folded_name
    for position, character in enumerate(text):
        folded = character.casefold()
        if not rest.startswith(folded):
            return None
        rest = rest[len(folded) :]
        if not rest:
            return position + 1
    return None
