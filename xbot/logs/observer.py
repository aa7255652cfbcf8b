"""LogWriter: a Twisted log observer that writes text, journald or JSON lines to a stream."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from threading import Lock
from typing import IO

from twisted.logger import ILogObserver, LogEvent
from zope.interface import implementer

from xbot.logs.levels import Levels
from xbot.logs.record import Record
from xbot.logs.repeats import WINDOW, Repeats
from xbot.logs.text import cut

#: Maximum number of records that wait for the writing thread; beyond it the oldest are dropped.
MAX_WAITING = 10_000


@implementer(ILogObserver)
class LogWriter:
    """Writes the events that pass ``levels`` to ``stream``. Thread-safe.

    ``form`` is one of :data:`xbot.config.settings.LOG_FORMATS`. With ``for_journal`` each
    line begins with its syslog priority, as journald reads it (sd-daemon(3)).
    """

    def __init__(
        self,
        stream: IO[str],
        levels: Levels,
        form: str = "text",
        *,
        for_journal: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._stream = stream
        self._for_journal = for_journal
        self._wall_clock = wall_clock
        self._repeats = Repeats(clock)
        self._lock = Lock()
        self._waiting: deque[tuple[Record, float | None]] = deque(maxlen=MAX_WAITING)
        self.change(levels, form)

    def change(self, levels: Levels, form: str) -> None:
        """Set the levels and the format of the events that follow."""
        self._lets_through = levels.filter()
        self._form = form

    def __call__(self, event: LogEvent) -> None:
        """Log one event; Twisted calls this for every event."""
        if not self._lets_through(event):
            return
        record = Record.of(event, with_fields=self._form == "json")
        if record is None:
            return
        self._waiting.append((record, event.get("log_time")))
        self._write_waiting()

    def flush(self, *, everything: bool = False) -> None:
        """Write the summaries of repeated records that are due, or, at exit, ``everything``."""
        if self._lock.acquire(blocking=False):
            try:
                self._tell_repeated(everything=everything)
                self._stream.flush()
            finally:
                self._lock.release()
        self._write_waiting()

    def _write_waiting(self) -> None:
        # Never block on the lock: a signal handler, which logs too, may have interrupted
        # the thread that holds it. The holder writes the records that arrive meanwhile.
        while self._waiting and self._lock.acquire(blocking=False):
            try:
                while self._waiting:
                    self._write_or_count(*self._waiting.popleft())
                self._stream.flush()
            finally:
                self._lock.release()

    def _write_or_count(self, record: Record, when: float | None) -> None:
        self._tell_repeated()
        if self._repeats.admits(record):
            self._write(record, when)

    def _tell_repeated(self, *, everything: bool = False) -> None:
        for repeated in self._repeats.over(everything=everything):
            text = cut(repeated.record.text, 1000)
            more = f"{text} [{repeated.count} more like this within {WINDOW:g} s]"
            self._write(repeated.record._replace(text=more, traceback=(), fields=()), None)

    def _write(self, record: Record, when: float | None) -> None:
        when = self._wall_clock() if when is None else when
        if self._form == "json":
            priority = record.priority if self._for_journal else ""
            self._stream.write(priority + record.for_machines(when))
        elif self._for_journal:
            self._stream.write(record.for_journal())
        else:
            self._stream.write(record.for_people(when))


def is_journal(stream: IO[str], environ: Mapping[str, str]) -> bool:
    """Whether ``stream`` is connected to journald (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
