"""A responder's regular expression, and whether it matches commands or overheard messages."""

from __future__ import annotations

import re
from typing import Literal

from attrs import frozen

#: Maximum number of characters searched: the cost grows with them, and strangers send 256 KiB.
MAX_SEARCHED = 4096


def _compiled(text: str) -> re.Pattern[str]:
    if not isinstance(text, str):
        # For example the function under a decorator without parentheses.
        kind = type(text).__name__
        raise TypeError(f'a pattern is a text, as in @respond("ping"), and no {kind}')
    return re.compile(text, re.IGNORECASE)


Kind = Literal["match", "hear", "fallback"]
"""When a route is tried: for commands, for any message, or when no other route answers."""


@frozen
class Pattern:
    """A regular expression and where it applies.

    ``match``: the whole of an addressed text. ``hear``: anywhere in a body.
    Case is ignored, because phones capitalise the first letter of a message;
    ``(?-i:...)`` makes a part case-sensitive.
    """

    kind: Literal["match", "hear"]
    regex: re.Pattern[str]

    @classmethod
    def match(cls, text: str) -> Pattern:
        """A pattern for addressed texts; :class:`re.error` when ``text`` is no regex."""
        return cls("match", _compiled(text))

    @classmethod
    def hear(cls, text: str) -> Pattern:
        """A pattern for bodies; :class:`re.error` when ``text`` is no regex."""
        return cls("hear", _compiled(text))

    @property
    def groups(self) -> frozenset[str]:
        """The names of its named groups."""
        return frozenset(self.regex.groupindex)

    def find(self, text: str) -> dict[str, str] | None:
        """The named groups that took part in the match, or None when ``text`` does not match.

        A text longer than :data:`MAX_SEARCHED` never fits a ``match``; a ``hear``
        searches only the beginning.
        """
        if self.kind == "match":
            found = self.regex.fullmatch(text) if len(text) <= MAX_SEARCHED else None
        else:
            found = self.regex.search(text, 0, MAX_SEARCHED)
        if found is None:
            return None
        if not self.regex.groupindex:
            return {}
        return {name: value for name, value in found.groupdict().items() if value is not None}


def kind_of(pattern: Pattern | None) -> Kind:
    """The kind of a route with this pattern; None is a fallback."""
    return "fallback" if pattern is None else pattern.kind
