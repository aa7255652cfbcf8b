"""Safe access to an untrusted JSON payload. Pure.

The payload may be hostile, or quote strangers. Missing fields and wrong types never
raise unless a field is required, and every text comes out as one sanitised line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn
from urllib.parse import urlsplit

from attrs import field, frozen

from xbot.model.errors import XbotError

#: Maximum length of a field's text, and of a link, in characters.
MAX_FIELD, MAX_LINK = 400, 500

#: Maximum number of items shown of a list or an object in a field.
MAX_ITEMS = 20

#: Maximum number of items read of a list, and of names of an object.
MAX_PARTS, MAX_NAMES = 1000, 100

#: Maximum number of digits of an int; longer ones stay text.
_MAX_DIGITS = 20

# As in logs.text: control characters, bidirectional controls, lone surrogates; and what
# XML 1.0 does not allow.
_ACTS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
    "\ufffe\uffff]"
)


class WrongPayload(XbotError, ValueError):
    """The payload is invalid. ``reason`` is sent to the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def line(text: str, limit: int = MAX_FIELD) -> str:
    """``text`` as one sanitised line of at most ``limit`` characters."""
    # Cut first, so that a megabyte costs nothing.
    shown = _ACTS.sub("", " ".join(text[: 8 * limit].split()))
    is_cut = len(shown) > limit or len(text) > 8 * limit
    return shown[: limit - 1].rstrip() + "\u2026" if is_cut else shown


@frozen
class Part:
    """One value of the payload and its path; ``value`` is None if it is missing."""

    value: Any = field(repr=False)
    path: str = ""

    def __getitem__(self, name: str) -> Part:
        """The member ``name`` of an object, or the item at that index of a list."""
        path = f"{self.path}.{name}" if self.path else name
        found = None
        if isinstance(self.value, dict):
            found = self.value.get(name)
        elif isinstance(self.value, list) and re.fullmatch("[0-9]{1,6}", name):
            number = int(name)
            found = self.value[number] if number < len(self.value) else None
        return Part(found, path)

    def at(self, path: str) -> Part:
        """The part at a path such as ``alert.labels.severity``."""
        part = self
        for name in path.split("."):
            part = part[name]
        return part

    def text(self, limit: int = MAX_FIELD) -> str:
        """The value as one sanitised line; empty if it is missing."""
        return line(_shown(self.value), limit)

    def first_line(self, limit: int = MAX_FIELD) -> str:
        """The first line of the text that is not blank, sanitised."""
        text = _scalar(self.value)[: 8 * limit].lstrip()
        return line(text.split("\n", 1)[0], limit)

    def link(self) -> str:
        """The value if it is an http or https URL, else an empty text."""
        text = self.value if isinstance(self.value, str) else ""
        if len(text) > MAX_LINK or not text.isascii() or not text.isprintable() or " " in text:
            return ""
        try:
            where = urlsplit(text)
        except ValueError:
            return ""
        return text if where.scheme in ("http", "https") and where.netloc else ""

    def items(self) -> Iterator[tuple[str, Part]]:
        """The names and values of an object, up to MAX_NAMES; none for other types."""
        if isinstance(self.value, dict):
            for name in islice(self.value, MAX_NAMES):
                yield name, self[name]

    def __len__(self) -> int:
        """Number of items of a list or an object; 0 for other types."""
        return len(self.value) if isinstance(self.value, (dict, list)) else 0

    def __bool__(self) -> bool:
        # Not by __len__: an empty part is true, too.
        return True

    # Required parts

    def needed(self) -> str:
        """The text; raises :class:`WrongPayload` if it is no text, or empty."""
        if not isinstance(self.value, str) or not self.text():
            self._blame("a text")
        return self.text()

    def an_object(self) -> Part:
        """Itself; raises :class:`WrongPayload` if it is no object."""
        if not isinstance(self.value, dict):
            self._blame("an object")
        return self

    def parts(self) -> list[Part]:
        """The items of a list, up to MAX_PARTS; raises :class:`WrongPayload` if it is no list."""
        if not isinstance(self.value, list):
            self._blame("a list")
        return [
            Part(value, f"{self.path}.{number}")
            for number, value in enumerate(self.value[:MAX_PARTS])
        ]

    def _blame(self, what: str) -> NoReturn:
        where = line(self.path, 80) or "all of it"
        raise WrongPayload(f"{where} is missing, or not {what}")


def parse(body: bytes) -> Part:
    """Parse ``body`` as a JSON object, or raise :class:`WrongPayload`."""
    try:
        text = body.decode("utf-8-sig")
        value = json.loads(text, parse_int=_int, parse_constant=_refuse)
    except UnicodeDecodeError:
        raise WrongPayload("this is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise WrongPayload(
            f"this is no JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    except RecursionError:
        raise WrongPayload("this is nested too deeply") from None
    except ValueError as error:
        raise WrongPayload(f"this is no JSON: {line(str(error), 80)}") from None
    if not isinstance(value, dict):
        raise WrongPayload("this is no JSON object")
    return Part(value)


def _int(text: str) -> int | str:
    return int(text) if len(text) <= _MAX_DIGITS else text


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _shown(value: object) -> str:
    """The value as text; of a list or an object only the scalar items."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_scalar, value[:MAX_ITEMS])))
    if isinstance(value, dict):
        few = list(value.items())[:MAX_ITEMS]
        return ", ".join(f"{name}={_scalar(item)}" for name, item in few if _scalar(item))
    return _scalar(value)


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else ""
