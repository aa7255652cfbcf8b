"""What can be remembered: JSON's values, and nothing that would come back as something else."""

from __future__ import annotations

import json
import math
from typing import Any

#: Lists and dicts stand in each other no deeper than this.
MAX_DEPTH = 32

#: The longest whole number, in bits. What is longer takes Python long to write down.
MAX_BITS = 4096

_encode = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, check_circular=False, separators=(",", ":")
).encode


def frozen(value: object) -> str:
    """``value`` as JSON in ASCII, from which :func:`thawed` makes an equal value of the same type.

    :raises TypeError: when it is, or holds, something else than None, bool, int, float, str,
        list and dict with str keys. Their subclasses, and tuples, would come back as another
        type, and are refused, too.
    :raises ValueError: when it is, or holds, a float that JSON does not have (nan, inf), a
        number without end, or itself.
    """
    _check(value, 0)
    return _encode(value)


def thawed(text: str) -> Any:
    """A new value of what :func:`frozen` has made, or a person has written.

    :raises ValueError: when it is no such text.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check(value, 0)
    return value


def is_immutable(value: object) -> bool:
    """Whether ``value`` may be handed out as it is: nobody can change it."""
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
