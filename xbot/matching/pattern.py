"""Who a text is addressed to, and which pattern it fits. Pure: texts in, texts out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from attrs import frozen

#: No longer text is searched. Patterns backtrack: one that begins with ``.*``
#: already costs the square of the length, and strangers send 256 KiB.
MAX_SEARCHED = 4096

_SEPARATOR = re.compile(r"\s*[:,]|\s+|\Z")


def addressed_text(body: str, names: Iterable[str], prefix: str = "") -> str | None:
    """What ``body`` says to the bearer of ``names``, or None when it speaks to nobody here.

    ``xbot: ping``, ``xbot, ping``, ``@xbot ping`` and ``xbot ping`` all say
    ``ping``, and so does ``!ping`` with ``prefix="!"``. ``xbotty ping`` and
    ``xbot's ping`` are not addressed. Names are compared caselessly, the
    longest first; the bare name says the empty text.
    """
    text = body.strip()
    for name in sorted({name.strip() for name in names} - {""}, key=len, reverse=True):
        rest = _after_name(text, name)
        if rest is None and text.startswith("@"):
            rest = _after_name(text[1:], name)
        if rest is not None:
            return rest
    if prefix and text.startswith(prefix):
        return text[len(prefix) :].strip()
    return None


def _after_name(text: str, name: str) -> str | None:
    end = _end_of_name(text, name.casefold())
    if end is None:
        return None
    separator = _SEPARATOR.match(text, end)
    return text[separator.end() :].strip() if separator else None


def _end_of_name(text: str, folded_name: str) -> int | None:
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


@frozen
class Pattern:
    """A regular expression and where it applies.

    ``match``: the whole of an addressed text. ``hear``: anywhere in a body.
    Case is ignored, because telephones begin every message with a capital;
    ``(?-i:...)`` minds it.
    """

    kind: Literal["match", "hear"]
    regex: re.Pattern[str]

    @classmethod
    def match(cls, text: str) -> Pattern:
        """A pattern for addressed texts; :class:`re.error` when ``text`` is none."""
        return cls("match", re.compile(text, re.IGNORECASE))

    @classmethod
    def hear(cls, text: str) -> Pattern:
        """A pattern for bodies; :class:`re.error` when ``text`` is none."""
        return cls("hear", re.compile(text, re.IGNORECASE))

    @property
    def groups(self) -> frozenset[str]:
        """The names of its groups."""
        return frozenset(self.regex.groupindex)

    def find(self, text: str) -> dict[str, str] | None:
        """The named groups that took part, or None when ``text`` does not fit.

        A text longer than :data:`MAX_SEARCHED` never fits a ``match``; a
        ``hear`` looks at its beginning.
        """
        if self.kind == "match":
            found = self.regex.fullmatch(text) if len(text) <= MAX_SEARCHED else None
        else:
            found = self.regex.search(text, 0, MAX_SEARCHED)
        if found is None:
            return None
        return {name: value for name, value in found.groupdict().items() if value is not None}


_NAMED_GROUP = re.compile(r"\(\?P<(\w+)>(?:[^()\\]|\\.)*\)")
_OPTIONAL_GROUP = re.compile(r"(\s?)\((?:\?:)?(\s?)([^()|]+)\)\?")
_OPTIONAL_WORD = re.compile(r"\b([A-Z_][A-Z0-9_]*)\?")


def readable(pattern: str) -> str | None:
    """``deploy (?P<app>\\w+)( to (?P<env>\\w+))?`` as ``deploy APP [to ENV]``, for people.

    None for a pattern that has no such simple form.
    """
    text = _NAMED_GROUP.sub(lambda found: found[1].upper(), pattern)
    if "[" in text:
        return None
    text = _OPTIONAL_WORD.sub(r"[\1]", text)
    text = _OPTIONAL_GROUP.sub(r"\1\2[\3]", text)
    text = text.strip().removeprefix("^").removesuffix("$")
    return None if not text or re.search(r"[\\^$.*+?{}()|]", text) else text
