"""Local time zone: the forms of ``TZ`` that libc takes (tzset(3)), else ``/etc/localtime``."""

import io
import os
import re
import struct
from collections.abc import Mapping
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

#: A POSIX rule, as in ``CET-1CEST,M3.5.0,M10.5.0/3``: zone and offset, perhaps summer time.
_RULE = re.compile(
    r"(?:[A-Za-z]{3,}|<[\w+-]{3,}>)[+-]?\d{1,3}(?::\d\d){0,2}"
    r"(?P<summer>(?:[A-Za-z]{3,}|<[\w+-]{3,}>)(?P<offset>[+-]?\d{1,3}(?::\d\d){0,2})?)?"
    r"(?P<dates>,.+)?",
    re.ASCII,
)

#: The dates that libc assumes for a rule that names summer time without its dates.
_USUAL_DATES = ",M3.2.0,M11.1.0"


class UnknownTimeZone(ValueError):
    """``TZ`` is neither the name of a zone, nor a file, nor a POSIX rule."""


def local_zone(environ: Mapping[str, str] = os.environ) -> tzinfo:
    """The machine's time zone; UTC if ``TZ`` is empty, or if no time zone is configured.

    :raises UnknownTimeZone: when ``TZ`` has none of the forms that libc takes.
    """
    if (named := environ.get("TZ")) is not None:
        return _zone_of(named.removeprefix(":")) if named else UTC
    try:
        return _from_file("/etc/localtime")
    except (OSError, ValueError):
        return UTC


def _zone_of(named: str) -> tzinfo:
    try:
        return _from_file(named) if os.path.isabs(named) else ZoneInfo(named)
    except (OSError, ValueError, KeyError):
        # zoneinfo raises KeyError for an unknown zone.
        pass
    found = _RULE.fullmatch(named)
    if found is None:
        raise UnknownTimeZone(f"TZ={named!r} is no zone, no file and no rule of POSIX")
    rule = named + _USUAL_DATES if found["summer"] and not found["dates"] else named
    try:
        return ZoneInfo.from_file(io.BytesIO(_compiled(rule)), named)
    except (ValueError, KeyError) as wrong:
        raise UnknownTimeZone(f"TZ={named!r}: {wrong}") from None


def _from_file(path: str) -> tzinfo:
    with open(path, "rb") as file:
        return ZoneInfo.from_file(file, "local time")


def _compiled(rule: str) -> bytes:
    """Compiled zone data (TZif, RFC 8536) with a POSIX rule in its footer, and no transitions."""
    header = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    kind = struct.pack(">lBB", 0, 0, 0) + b"UTC\0"
    return (header + kind) * 2 + b"\n" + rule.encode("ascii", "replace") + b"\n"
