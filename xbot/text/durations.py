"""Parse and format durations with units: 500ms, 30s, 5m, 2h, 1d, 1h30m."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"\s*([0-9]{1,12})\s*([a-z]*)", re.ASCII)


def seconds(text: str, longest: float) -> float:
    """Parse ``text``, a sequence of whole numbers with units, to seconds.

    :raises ValueError: with the reason. The result must be more than 0 and at most
        ``longest`` seconds.
    """
    total = 0.0
    end = 0
    while found := _PART.match(text, end):
        number, unit = found.groups()
        if not unit and text.strip() == number:
            raise ValueError(
                f"the unit is missing: {number}s is seconds, {number}m minutes, {number}h hours"
            )
        if unit not in _UNITS:
            break
        total += float(number) * _UNITS[unit]
        end = found.end()
    if end == 0 or text[end:].strip():
        raise ValueError(f"{text!r} is no duration: write it like 500ms, 30s, 5m, 2h or 1d")
    if not 0 < total <= longest:
        limit = written(longest)
        raise ValueError(f"{text!r} is out of range: more than nothing, and at most {limit}")
    return total


def written(seconds: float) -> str:
    """Format a duration for :func:`seconds`, in the largest unit that fits: ``30s``, ``5m``."""
    unit = next(unit for unit in reversed(_UNITS) if seconds % _UNITS[unit] == 0 or unit == "ms")
    return f"{seconds / _UNITS[unit]:g}{unit}"


def shown(seconds: float) -> str:
    """Format a measured duration for people: ``0.5 s``, ``30 s``, ``5m``, ``1h30m``, ``2d3h``.

    From a minute on in whole seconds, and in two units at most.
    """
    if round(seconds, 1) < 60:
        return f"{round(seconds, 1):g} s"
    left = round(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count}{unit}")
    return "".join(part for part in parts[:2] if not part.startswith("0"))
