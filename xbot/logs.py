"""The log for people: one record for each event, in which nothing that anyone said can act."""

from __future__ import annotations

import re
from typing import IO, Any

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
    formatTime,
)

from xbot.repeats import Repeats

#: How the ini names the levels, the most talkative first.
LEVELS = ("debug", "info", "warn", "error", "critical")

#: No record's text is longer, in bytes; tracebacks are ours and come on top.
MAX_TEXT = 1900

# Controls (CR, LF, ESC, C1...), line separators, and what turns the direction of
# text around: in a terminal or a pager each could make a record look like another.
_ACTS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def observer(stream: IO[str], level: str) -> ILogObserver:
    """Writes events of this level and above to ``stream``, but not one a thousand times."""
    repeats = Repeats()

    def as_records(event: LogEvent) -> str | None:
        record = as_record(event)
        if record is None:
            return None
        time, text = record.split(" ", 1)
        told = repeats.got(text, float(event.get("log_time") or 0.0))
        return "".join(f"{time} {each}" for each in told)

    return FilteringLogObserver(
        FileLogObserver(stream, as_records),
        [LogLevelFilterPredicate(LogLevel.levelWithName(level))],
    )


def as_record(event: LogEvent) -> str | None:
    """Time, level, whose event it is, and its text; a traceback follows, indented."""
    text = _cut(escape(formatEvent(event)[:MAX_TEXT]))
    failure: Any = event.get("log_failure")
    if not text and failure is None:
        return None
    level = event.get("log_level", LogLevel.info).name
    namespace = str(event.get("log_namespace", "-"))
    record = f"{formatTime(event.get('log_time'))} {level:8} {namespace}: {text}\n"
    if failure is not None:
        record += "".join(f"\t{escape(line)}\n" for line in _traceback(failure))
    return record


def escape(text: str) -> str:
    """``text`` on one line, with all that could act written as Python would write it."""
    return _ACTS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def _cut(text: str) -> str:
    data = text.encode("utf-8", "backslashreplace")
    # Half a character at the end goes away.
    return text if len(data) < MAX_TEXT else f"{data[:MAX_TEXT].decode('utf-8', 'ignore')} [cut]"


def _traceback(failure: Any) -> list[str]:
    try:
        return str(failure.getTraceback()).splitlines()
    except Exception:
        return ["(a traceback that cannot be shown)"]
