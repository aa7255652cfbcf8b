"""One regular expression, and the texts that it is for."""

from __future__ import annotations

import re
from typing import Literal

from attrs import frozen

#: No longer text is searched: what a search costs grows with it, and strangers send 256 KiB.
MAX_SEARCHED = 4096


def _compiled(text: str) -> re.Pattern[str]:
    if not isinstance(text, str):
        # Such as the function under a decorator without parentheses.
        kind = type(text).__name__
        raise TypeError(f'a pattern is a text, as in @respond("ping"), and no {kind}')
    return re.compile(text, re.IGNORECASE)


Kind = Literal["match", "hear", "fallback"]
"""When something is asked: for commands, for anything said, or when nobody else answers."""


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
        return cls("match", _compiled(text))

    @classmethod
    def hear(cls, text: str) -> Pattern:
        """A pattern for bodies; :class:`re.error` when ``text`` is none."""
        return cls("hear", _compiled(text))

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
        if not self.regex.groupindex:
            return {}
        return {name: value for name, value in found.groupdict().items() if value is not None}


def kind_of(pattern: Pattern | None) -> Kind:
    """When what has this pattern is asked."""
    return "fallback" if pattern is None else pattern.kind
