"""What was posted, as values that can be asked for anything and never surprise. Pure.

Whoever posts may be hostile, or just a stranger whose words a forge hands on.
What is taken out of here is one harmless line, whatever it was.
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

#: No field is said with more characters, and no link with more.
MAX_FIELD, MAX_LINK = 400, 500

#: Of a list or an object in a field, so many items are looked at.
MAX_ITEMS = 20

#: Of a list no more parts are looked at, and of an object no more names.
MAX_PARTS, MAX_NAMES = 1000, 100

#: Longer numbers stay the text that they were.
_MAX_DIGITS = 20

# Like logs.text: controls, what turns the direction of text around, lone
# surrogates; and what XML 1.0 cannot say.
_ACTS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
    "\ufffe\uffff]"
)


class WrongPayload(XbotError, ValueError):
    """What was posted is not what it should be. ``reason`` tells the sender what is wrong."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def line(text: str, limit: int = MAX_FIELD) -> str:
    """``text`` on one line of at most ``limit`` characters, with nothing in it that acts."""
    # Far more than will be left, so that nothing is done to a megabyte.
    shown = _ACTS.sub("", " ".join(text[: 8 * limit].split()))
    is_cut = len(shown) > limit or len(text) > 8 * limit
    return shown[: limit - 1].rstrip() + "\u2026" if is_cut else shown


@frozen
class Part:
    """A part of what was posted: ``value`` is None where there is none."""

    value: Any = field(repr=False)
    path: str = ""

    def __getitem__(self, name: str) -> Part:
        """What an object has under ``name``, or a list at that number."""
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
        """It on one harmless line; empty where there is nothing."""
        return line(_shown(self.value), limit)

    def first_line(self, limit: int = MAX_FIELD) -> str:
        """Of several lines the first that says anything."""
        text = _scalar(self.value)[: 8 * limit].lstrip()
        return line(text.split("\n", 1)[0], limit)

    def link(self) -> str:
        """It, where it is a link to the web; else nothing."""
        text = self.value if isinstance(self.value, str) else ""
        if len(text) > MAX_LINK or not text.isascii() or not text.isprintable() or " " in text:
            return ""
        try:
            where = urlsplit(text)
        except ValueError:
            return ""
        return text if where.scheme in ("http", "https") and where.netloc else ""

    def items(self) -> Iterator[tuple[str, Part]]:
        """The first names and parts of an object; nothing where it is none."""
        if isinstance(self.value, dict):
            for name in islice(self.value, MAX_NAMES):
                yield name, self[name]

    def __len__(self) -> int:
        """How many items a list has, or an object; 0 where it is neither."""
        return len(self.value) if isinstance(self.value, (dict, list)) else 0

    def __bool__(self) -> bool:
        # Empty or not, it is one.
        return True

    # What has to be there

    def needed(self) -> str:
        """Its text, or :class:`WrongPayload` when it has none."""
        if not isinstance(self.value, str) or not self.text():
            self._blame("a text")
        return self.text()

    def an_object(self) -> Part:
        """Itself, or :class:`WrongPayload` when it is no object."""
        if not isinstance(self.value, dict):
            self._blame("an object")
        return self

    def parts(self) -> list[Part]:
        """The first items of the list that it has to be."""
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
    """The object that ``body`` is in JSON, or :class:`WrongPayload`."""
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
    """Of what holds others, what it holds that holds nothing itself."""
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
