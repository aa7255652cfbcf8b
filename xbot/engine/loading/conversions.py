"""Convert texts (named groups, ini options) to the types of annotations. Pure."""

from __future__ import annotations

import math
import re
import sys
import types
from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NewType, Union, get_args, get_origin

from xbot.model.errors import InvalidJid, XbotError
from xbot.model.jid import Jid
from xbot.text import durations

Convert = Callable[[str], Any]
"""Converts a text to a value; the ValueError says what the text *is* instead ("is no number")."""

#: Maximum number of digits of an int. (int() of 4,096 digits takes a while to print.)
MAX_DIGITS = 18

#: Maximum number of items of a list.
MAX_ITEMS = 1000

#: Maximum duration, in seconds.
MAX_DURATION = 3660 * 86400.0

#: Maximum number of valid words that an error lists.
_MAX_SHOWN = 12

_BOOLS = {
    **dict.fromkeys(("yes", "on", "true"), True),
    **dict.fromkeys(("no", "off", "false"), False),
}


class UnknownAnnotation(XbotError, TypeError):
    """No text can be converted to this annotation. Use another annotation, or str."""

    def __init__(self, annotation: object) -> None:
        name = getattr(annotation, "__name__", None) or str(annotation)
        super().__init__(f"nothing that is written can become a value of type {name}")
        self.annotation = annotation


def converter(annotation: Any, folder: Path | None = None) -> Convert:
    """The function that converts a text to the type ``annotation``.

    ``folder`` is the base of relative paths; without it ``Path`` is not supported,
    because a chat message must not name files.

    :raises UnknownAnnotation: for an annotation that is not supported.
    """
    if folder is not None and annotation is Path:
        return lambda text: _path(text, folder)
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    # Code that annotates with ZoneInfo has imported it; others need not pay for the import.
    zoneinfo = sys.modules.get("zoneinfo")
    if zoneinfo is not None and annotation is zoneinfo.ZoneInfo:
        reason = "is no time zone such as Europe/Berlin"
        return _parsed(annotation, reason, KeyError, ValueError, OSError)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _enum(annotation)
    if isinstance(annotation, NewType):
        return converter(annotation.__supertype__, folder)
    origin, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if origin is Literal:
        return _literal(arguments)
    if origin in (Union, types.UnionType):
        members = [each for each in arguments if each is not type(None)]
        return _first_of([converter(member, folder) for member in members])
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _several(tuple, converter(arguments[0], folder))
    if origin in _SEVERAL and len(arguments) <= 1:
        item = arguments[0] if arguments else str
        return _several(_SEVERAL[origin], converter(item, folder))
    raise UnknownAnnotation(annotation)


def _int(text: str) -> int:
    if not re.fullmatch(rf"[+-]?\d{{1,{MAX_DIGITS}}}", text):
        raise ValueError("is no whole number")
    return int(text)


def _float(text: str) -> float:
    try:
        value = float(text) if len(text) <= 40 and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError("is no number")
    return value


def _duration(text: str) -> timedelta:
    return timedelta(seconds=durations.seconds(text, MAX_DURATION))


def _jid(text: str) -> Jid:
    try:
        return Jid.parse(text)
    except InvalidJid as error:
        raise ValueError(f"is no address: {error.reason}") from None


def _parsed(parse: Convert, reason: str, *wrong: type[Exception]) -> Convert:
    """``parse``, which raises ValueError with ``reason`` instead of one of ``wrong``."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except wrong:
            raise ValueError(reason) from None

    return convert


def _path(text: str, folder: Path) -> Path:
    if "\n" in text or "\0" in text:
        raise ValueError("is no path")
    try:
        return folder / Path(text).expanduser()
    except RuntimeError:
        raise ValueError("is no path: there is no such home folder") from None


def _enum(kind: type[Enum]) -> Convert:
    # Names take precedence over values: readers of the code expect that.
    choices = {str(each.value).casefold(): each for each in kind}
    choices.update({name.casefold(): each for name, each in kind.__members__.items()})
    return _one_of(choices, [each.name.lower() for each in kind])


def _literal(values: Sequence[object]) -> Convert:
    return _one_of({str(each).casefold(): each for each in values}, map(str, values))


def _one_of(choices: dict[str, Any], names: Iterable[str]) -> Convert:
    shown = list(names)
    more = ", ..." if len(shown) > _MAX_SHOWN else ""
    reason = f"is none of {', '.join(shown[:_MAX_SHOWN])}{more}"
    return _parsed(lambda text: choices[text.casefold()], reason, KeyError)


def _first_of(converts: Sequence[Convert]) -> Convert:
    def convert(text: str) -> Any:
        reasons = []
        for each in converts:
            try:
                return each(text)
            except ValueError as error:
                reasons.append(str(error))
        raise ValueError(", and ".join(reasons))

    return convert


def _several(make: Callable[[Iterable[Any]], Any], convert_one: Convert) -> Convert:
    def convert(text: str) -> Any:
        items = text.replace(",", " ").split()
        if len(items) > MAX_ITEMS:
            raise ValueError(f"has more than {MAX_ITEMS} items")
        converted = []
        for number, item in enumerate(items, 1):
            try:
                converted.append(convert_one(item))
            except ValueError as error:
                # Without the item, which may be a secret.
                raise ValueError(f"has an item (number {number}) that {error}") from None
        return make(converted)

    return convert


_SIMPLE: dict[Any, Convert] = {
    str: str,
    Any: str,
    object: str,
    int: _int,
    float: _float,
    bool: _parsed(lambda text: _BOOLS[text.casefold()], "is neither yes nor no", KeyError),
    timedelta: _parsed(_duration, "is no duration such as 90s, 5m, 1h30m or 2d", ValueError),
    date: _parsed(date.fromisoformat, "is no date such as 2030-12-31", ValueError),
    time: _parsed(time.fromisoformat, "is no time of day such as 18:30", ValueError),
    datetime: _parsed(
        datetime.fromisoformat, "is no date and time such as 2030-12-31 18:30", ValueError
    ),
    Jid: _jid,
}

_SEVERAL: dict[Any, Callable[[Iterable[Any]], Any]] = {
    list: list,
    Sequence: list,
    Collection: list,
    Iterable: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    AbstractSet: frozenset,
}
