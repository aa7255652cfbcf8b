"""Log record: format one log event as text, for journald, or as JSON. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from twisted.logger import LogEvent, LogLevel, formatEvent

from xbot.logs.text import CUT, cut, escape

#: Maximum size of a record, in bytes, without its traceback.
MAX_RECORD = 2048

#: Maximum size of a traceback, in bytes. Its end is kept, where the reason is.
MAX_TRACEBACK = 8192

#: Maximum size of one line of a traceback, and of one JSON field, in bytes.
MAX_LINE, MAX_FIELD = 500, 300

#: Maximum number of an event's fields in JSON.
MAX_FIELDS = 12

#: syslog(3) priorities, as journald reads them at the beginning of a line.
PRIORITIES = {"debug": 7, "info": 6, "warn": 4, "error": 3, "critical": 2}

# Fields that Twisted's legacy log adds for its own use.
_LEGACY = frozenset({"format", "isError", "logLevel", "message", "printed", "system", "time"})


class Record(NamedTuple):
    """One log event without its time, so that equal records can be deduplicated.

    ``fields`` are the values that the text was formatted from, for JSON.
    """

    level: str
    namespace: str
    text: str
    traceback: tuple[str, ...] = ()
    fields: tuple[tuple[str, object], ...] = ()

    @classmethod
    def of(cls, event: LogEvent, *, with_fields: bool = True) -> Record | None:
        """The record of ``event``, or None if it has no text. Never raises."""
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
        """The level as a syslog priority prefix for journald: ``<6>``."""
        return f"<{PRIORITIES[self.level]}>"

    def for_people(self, when: float) -> str:
        """Text format: time, level, namespace and text; the traceback follows, indented."""
        time = _local(math.floor(when))
        record = cut(f"{time} {self.level:8} {self.namespace}: {self.text}", MAX_RECORD - 1)
        return _lines(record, "\t", self.traceback)

    def for_journal(self) -> str:
        """journald format: no time, and a priority on each line, as each is an entry of its own."""
        begin = self.priority
        record = cut(f"{begin}{self.namespace}: {self.text}", MAX_RECORD - 1)
        return _lines(record, f"{begin}\t", self.traceback)

    def for_machines(self, when: float) -> str:
        """JSON format: one ASCII line. What exceeds the limit is cut, the fields first."""
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
                # Shrink in steps: one character may be an escape of twelve bytes.
                text = str(record["text"]).removesuffix(CUT)
                record["text"] = text[: len(text) * 3 // 4] + CUT
        return f"{line}\n"


def _lines(record: str, begin: str, traceback: Sequence[str]) -> str:
    return "\n".join((record, *[f"{begin}{line}" for line in traceback], ""))


def _json(record: dict[str, object]) -> str:
    # DEL is the only control character that json.dumps leaves unescaped.
    return json.dumps(record, ensure_ascii=True).replace("\x7f", "\\u007f")


# Cached: most lines are written in the same second as the one before.
@lru_cache(maxsize=16)
def _local(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).astimezone().isoformat(timespec="seconds")


def _text(event: LogEvent) -> str:
    """Fast path for :func:`twisted.logger.formatEvent`, which takes ten times as long."""
    form = event.get("log_format")
    if type(form) is str and "log_flattened" not in event:
        try:
            return form.format_map(event)
        except Exception:  # noqa: S110
            # Calls in the format, or missing fields: formatEvent handles these.
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
    """The last lines of the traceback, up to MAX_TRACEBACK: the reason is at its end."""
    try:
        lines = str(failure.getTraceback()).splitlines()
    except Exception:
        return ["(a traceback that cannot be shown)"]
    shown: list[str] = []
    size = 0
    for line in reversed(lines):
        line = cut(escape(line), MAX_LINE)
        # In JSON an escaped character is up to six times as long.
        size += len(json.dumps(line)) + 1
        if size > MAX_TRACEBACK - MAX_LINE:
            shown.append(f"({len(lines) - len(shown)} more lines)")
            break
        shown.append(line)
    return shown[::-1]
