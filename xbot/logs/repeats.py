"""The same record again and again: told some times, then counted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

from attrs import define, frozen

from xbot.logs.record import Record

#: The same record is written so often in :data:`WINDOW` seconds; the rest is counted.
BURST, WINDOW = 50, 10.0

#: So many records are told from each other at a time.
MAX_RECORDS = 256


@define(eq=False, repr=False)
class _Seen:
    record: Record
    since: float
    count: int = 0


@frozen
class Repeated:
    """What was not written: how many of ``record``."""

    record: Record
    count: int


class Repeats:
    """Which records were written lately. Not for several threads at once."""

    def __init__(self, clock: Callable[[], float], limit: int = MAX_RECORDS) -> None:
        self._clock = clock
        self._limit = limit
        self._seen: OrderedDict[tuple[str, str, str], _Seen] = OrderedDict()

    def admits(self, record: Record) -> bool:
        """Whether ``record`` is written, and not only counted."""
        key = (record.level, record.namespace, record.text)
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = _Seen(record, self._clock())
        seen.count += 1
        return seen.count <= BURST

    def over(self, *, everything: bool = False) -> Iterator[Repeated]:
        """What was counted and is to be told now: its time, or there are too many others."""
        now = self._clock()
        while self._seen:
            key, oldest = next(iter(self._seen.items()))
            # A clock that was set back ends a window as well.
            is_young = 0 <= now - oldest.since < WINDOW and len(self._seen) <= self._limit
            if is_young and not everything:
                return
            del self._seen[key]
            if oldest.count > BURST:
                yield Repeated(oldest.record, oldest.count - BURST)
