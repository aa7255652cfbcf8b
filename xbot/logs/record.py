"""One event as one record: for people, or for machines. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from twisted.logger import LogEvent, LogLevel, formatEvent

from xbot.logs.text import CUT, cut, escape

#: No record is longer, in bytes; a traceback, which is ours, comes on top.
MAX_RECORD = 2048

#: Bytes of a traceback that are shown: its end, where the reason is.
MAX_TRACEBACK = 8192

#: Bytes of one line of it, and of one field for machines.
MAX_LINE, MAX_FIELD = 500, 300

#: So many fields of an event are told to machines.
MAX_FIELDS = 12

#: syslog(3)'s priorities, as journald reads them at the beginning of a line.
PRIORITIES = {"debug": 7, "info": 6, "warn": 4, "error": 3, "critical": 2}

# What Twisted's older log adds to an event for its own use.
_LEGACY = frozenset({"format", "isError", "logLevel", "message", "printed", "system", "time"})


class Record(NamedTuple):
    """What an event says: its time apart, for equal records are told from their times.

    ``fields`` are what the text was made of, for machines.
    """

    level: str
    namespace: str
    text: str
    traceback: tuple[str, ...] = ()
    fields: tuple[tuple[str, object], ...] = ()

    @classmethod
    def of(cls, event: LogEvent, *, with_fields: bool = True) -> Record | None:
        """The record of ``event``, or None for one that says nothing. Never raises."""
        text = cut(escape(_text(event)), MAX_RECORD)
        failure: Any = event.get("log_failure")
        if not text and failure is None:
            return None
        return cls(
            event.get("log_level", LogLevel.info).name,
            cut(escape(str(event.get("log_namespace", "-"))), MAX_FIELD),
            text,
            () if failure is None else tuple(_traceback(failure)),
            tuple(_fields(event)) if with_fields else (),
        )

    @property
    def priority(self) -> str:
        """How journald is told the level, at the beginning of a line."""
        return f"<{PRIORITIES[self.level]}>"

    def for_people(self, when: float) -> str:
        """Time, level, whose event it is, and its text; a traceback follows, indented."""
        time = _local(math.floor(when))
        record = cut(f"{time} {self.level:8} {self.namespace}: {self.text}", MAX_RECORD - 1)
        return _lines(record, "\t", self.traceback)

    def for_journal(self) -> str:
        """The same for journald, which knows the time; each line is an entry of its own."""
        begin = self.priority
        record = cut(f"{begin}{self.namespace}: {self.text}", MAX_RECORD - 1)
        return _lines(record, f"{begin}\t", self.traceback)

    def for_machines(self, when: float) -> str:
        """One JSON object on a line of ASCII; what does not fit is cut, fields first."""
        record: dict[str, object] = {
            "time": datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds"),
            "level": self.level,
            "namespace": self.namespace,
            "text": self.text,
        }
        limit = MAX_RECORD - 1
        if self.traceback:
            record["traceback"] = "\n".join(self.traceback)
            limit += MAX_TRACEBACK
        if self.fields:
            record["fields"] = dict(self.fields)
        while len(line := _json(record)) > limit:
            if "fields" in record:
                del record["fields"]
            else:
                # An escape has up to twelve bytes.
                text = str(record["text"]).removesuffix(CUT)
                record["text"] = text[: len(text) * 3 // 4] + CUT
        return f"{line}\n"


def _lines(record: str, begin: str, traceback: Sequence[str]) -> str:
    return "\n".join((record, *[f"{begin}{line}" for line in traceback], ""))


def _json(record: dict[str, object]) -> str:
    # DEL is the one control that is no escape in ASCII.
    return json.dumps(record, ensure_ascii=True).replace("\x7f", "\\u007f")


# Of the lines that are written, most share their second with the one before.
@lru_cache(maxsize=16)
def _local(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).astimezone().isoformat(timespec="seconds")


def _text(event: LogEvent) -> str:
    """What :func:`twisted.logger.formatEvent` says, which takes ten times as long to say it."""
    form = event.get("log_format")
    if type(form) is str and "log_flattened" not in event:
        try:
            return form.format_map(event)
        except Exception:  # noqa: S110
            # Calls in the format, fields that are missing: Twisted has its way with those.
            pass
    return formatEvent(event)


def _fields(event: LogEvent) -> Iterator[tuple[str, object]]:
    names = [name for name in event if not name.startswith("log_") and name not in _LEGACY]
    for name in names[:MAX_FIELDS]:
        value = event[name]
        if value is not None and not isinstance(value, (bool, int, float)):
            try:
                value = cut(escape(str(value)), MAX_FIELD)
            except Exception:
                value = "(cannot be shown)"
        yield name[:MAX_FIELD], value


def _traceback(failure: Any) -> list[str]:
    """Its last lines: those before them tell of the way, not of the reason."""
    try:
        lines = str(failure.getTraceback()).splitlines()
    except Exception:
        return ["(a traceback that cannot be shown)"]
    shown: list[str] = []
    size = 0
    for line in reversed(lines):
        line = cut(escape(line), MAX_LINE)
        # An escape for machines is up to six times as long.
        size += len(json.dumps(line)) + 1
        if size > MAX_TRACEBACK - MAX_LINE:
            shown.append(f"({len(lines) - len(shown)} more lines)")
            break
        shown.append(line)
    return shown[::-1]
