"""Serialise brain values to JSON and back; reject values that would not round-trip."""

from __future__ import annotations

import json
import math
from typing import Any

#: Maximum nesting depth of lists and dicts.
MAX_DEPTH = 32

#: Maximum size of an int, in bits. Python converts longer ones to decimal slowly.
MAX_BITS = 4096

_encode = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, check_circular=False, separators=(",", ":")
).encode


def frozen(value: object) -> str:
    """Serialise ``value`` to ASCII JSON; :func:`thawed` restores an equal value of the same type.

    :raises TypeError: for any type but None, bool, int, float, str, list, and dict with str
        keys, also when nested. Subclasses and tuples are refused too: they would come back as
        another type.
    :raises ValueError: for nan and inf, an int beyond MAX_BITS, and nesting beyond MAX_DEPTH
        (so also for a value that contains itself).
    """
    _check(value, 0)
    return _encode(value)


def thawed(text: str) -> Any:
    """Deserialise what :func:`frozen` made, or a person edited.

    :raises ValueError: when it is no valid JSON, or exceeds the limits.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check(value, 0)
    return value


def is_immutable(value: object) -> bool:
    """Whether ``value`` is immutable, and so can be returned without a copy."""
    return not isinstance(value, list | dict)


def _check(value: object, depth: int) -> None:
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return
    if kind is int:
        if value.bit_length() > MAX_BITS:  # type: ignore[attr-defined]
            raise ValueError(f"a whole number of more than {MAX_BITS} bits cannot be remembered")
    elif kind is float:
        if not math.isfinite(value):  # type: ignore[arg-type]
            raise ValueError(f"{value} cannot be remembered: JSON has no such number")
    elif kind is list or kind is dict:
        if depth >= MAX_DEPTH:
            raise ValueError(f"lists and dicts more than {MAX_DEPTH} deep cannot be remembered")
        if kind is dict:
            for key in value:  # type: ignore[attr-defined]
                if type(key) is not str:
                    raise TypeError(f"a dict's key must be a str to be remembered, not {_a(key)}")
            value = value.values()  # type: ignore[attr-defined]
        for part in value:  # type: ignore[attr-defined]
            _check(part, depth + 1)
    else:
        raise TypeError(
            f"{_a(value)} cannot be remembered: only None, bool, int, float, str, list and dict"
        )


def _a(value: object) -> str:
    return f"a value of type {type(value).__name__}"
