"""Texts with fields in them, filled in plainly: no attribute access, no format language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from attrs import frozen

from xbot.model.errors import XbotError

#: The fields that every template has, besides the named groups of its pattern.
FACTS = frozenset({"nick", "sender", "room", "body"})


#: A field that lies in others: ``alert.labels.severity``, ``items.0.name``.
DOTTED = re.compile(r"[\w@-]+(?:\.[\w@-]+){0,9}")

_TOKEN = re.compile(r"(?P<literal>\{\{|\}\}|[^{}]+)|\{(?P<field>[^{}]*)\}")


class InvalidTemplate(XbotError, ValueError):
    """A text whose braces make no sense. ``position`` counts from 0."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(f"{reason} (character {position + 1})")
        self.reason = reason
        self.position = position


class Field(NamedTuple):
    """The place of a value, by the value's name."""

    name: str


@frozen
class Template:
    """A text such as ``Hello {nick}!``; ``{{`` and ``}}`` stand for literal braces.

    Values are put in as they are and are never looked at again, so that
    whatever a stranger says stays what was said.
    """

    parts: tuple[str | Field, ...]

    @classmethod
    def parse(cls, text: str, is_name: Callable[[str], object] = str.isidentifier) -> Template:
        """Make a template of its text, or raise :class:`InvalidTemplate`.

        ``is_name`` tells what a field may be called.
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
        """The names of the values that it wants."""
        return frozenset(part.name for part in self.parts if isinstance(part, Field))

    def fill(self, values: Mapping[str, str | None]) -> str:
        """The text with every field replaced; a missing value, or None, leaves nothing."""
        return "".join(
            [
                (values.get(part.name) or "") if isinstance(part, Field) else part
                for part in self.parts
            ]
        )
