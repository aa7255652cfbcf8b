"""Text templates with ``{field}`` placeholders: no attribute access, no format language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from attrs import frozen

from xbot.model.errors import XbotError

#: The fields that every template has, besides the named groups of its pattern.
FACTS = frozenset({"nick", "sender", "room", "body"})


#: A path to a nested field: ``alert.labels.severity``, ``items.0.name``.
DOTTED = re.compile(r"[\w@-]+(?:\.[\w@-]+){0,9}")

_TOKEN = re.compile(r"(?P<literal>\{\{|\}\}|[^{}]+)|\{(?P<field>[^{}]*)\}")


class InvalidTemplate(XbotError, ValueError):
    """The template has a stray brace or an invalid field name. ``position`` counts from 0."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(f"{reason} (character {position + 1})")
        self.reason = reason
        self.position = position


class Field(NamedTuple):
    """A placeholder for the value called ``name``."""

    name: str


@frozen
class Template:
    """A parsed text such as ``Hello {nick}!``; ``{{`` and ``}}`` are literal braces.

    Values are inserted verbatim and never expanded again, so that a stranger's text
    cannot inject further fields.
    """

    parts: tuple[str | Field, ...]

    @classmethod
    def parse(cls, text: str, is_name: Callable[[str], object] = str.isidentifier) -> Template:
        """Parse ``text``, or raise :class:`InvalidTemplate`.

        ``is_name(name)`` is true for valid field names.
        """
        parts: list[str | Field] = []
        position = 0
        while position < len(text):
            token = _TOKEN.match(text, position)
            if token is None:
                brace = text[position]
                raise InvalidTemplate(f"a lone {brace}; write {brace * 2} to mean it", position)
            name = token["field"]
            if name is None:
                literal = token["literal"]
                parts.append(literal[0] if literal in ("{{", "}}") else literal)
            elif is_name(name):
                parts.append(Field(name))
            else:
                raise InvalidTemplate(
                    f"{{{name}}} is no field; write {{{{{name}}}}} to mean the braces", position
                )
            position = token.end()
        return cls(tuple(parts))

    @property
    def fields(self) -> frozenset[str]:
        """The names of its fields."""
        return frozenset(part.name for part in self.parts if isinstance(part, Field))

    def is_missing(self, values: Mapping[str, str | None]) -> bool:
        """Whether it has fields, and none of them has a value: an optional group, left out."""
        return bool(self.fields) and all(values.get(name) is None for name in self.fields)

    def fill(self, values: Mapping[str, str | None]) -> str:
        """The text with every field replaced; a missing value, or None, becomes empty."""
        return "".join(
            [
                (values.get(part.name) or "") if isinstance(part, Field) else part
                for part in self.parts
            ]
        )
