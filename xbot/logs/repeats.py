"""Deduplicate log records: write the first ones of a kind, then only count them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

from attrs import define, frozen

from xbot.logs.record import Record

#: Equal records are written BURST times in WINDOW seconds; further ones are only counted.
BURST, WINDOW = 50, 10.0

#: Maximum number of distinct records that are tracked.
MAX_RECORDS = 256


@define(eq=False, repr=False)
class _Seen:
    record: Record
    since: float
    count: int = 0


@frozen
class Repeated:
    """``count`` further copies of ``record`` that were not written."""

    record: Record
    count: int


class Repeats:
    """Counts equal records in a time window. Not thread-safe."""

    def __init__(self, clock: Callable[[], float], limit: int = MAX_RECORDS) -> None:
        self._clock = clock
        self._limit = limit
        self._seen: OrderedDict[tuple[str, str, str], _Seen] = OrderedDict()

    def admits(self, record: Record) -> bool:
        """Count ``record``; whether it should be written as well."""
        key = (record.level, record.namespace, record.text)
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = _Seen(record, self._clock())
        seen.count += 1
        return seen.count <= BURST

    def over(self, *, everything: bool = False) -> Iterator[Repeated]:
        """Summaries that are due: the window is over, or too many records are tracked."""
        now = self._clock()
        while self._seen:
            key, oldest = next(iter(self._seen.items()))
            # A clock that goes backwards ends a window as well.
            is_young = 0 <= now - oldest.since < WINDOW and len(self._seen) <= self._limit
            if is_young and not everything:
                return
            del self._seen[key]
            if oldest.count > BURST:
                yield Repeated(oldest.record, oldest.count - BURST)
