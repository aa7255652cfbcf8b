"""Rate-limited log of dropped messages: one line for each place and reason, with their number."""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

#: Seconds until the first line, so that it has the number of those that went together; and
#: between one round of lines and the next.
GATHER, PERIOD = 1.0, 60.0

#: A round has no more lines; what other places lost is told in one.
MAX_LINES = 50

OTHERS = "other places"


class Drops:
    """Counts what is dropped, and tells ``log`` about it, not too often. ``clock`` is a reactor."""

    def __init__(self, log: Logger, clock: Any) -> None:
        self._log = log
        self._clock = clock
        # By place and reason.
        self._counts: Counter[tuple[str, str]] = Counter()
        self._timer: IDelayedCall | None = None
        self._told_at = float("-inf")
        self._is_stopped = False

    def add(self, place: str, reason: str) -> None:
        """One message to this place was dropped."""
        key = place, reason
        if key not in self._counts and len(self._counts) >= MAX_LINES:
            key = OTHERS, "of various reasons"
        self._counts[key] += 1
        if self._is_stopped:
            self._tell()
        elif self._timer is None:
            wait = max(GATHER, self._told_at + PERIOD - self._clock.seconds())
            self._timer = self._clock.callLater(wait, self._tell)

    def stop(self) -> None:
        """Tell the rest now, and what comes yet at once."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._tell()

    def _tell(self) -> None:
        self._timer = None
        self._told_at = self._clock.seconds()
        counts, self._counts = self._counts, Counter()
        for (place, reason), count in counts.items():
            self._log.error(
                "dropped {count} messages to {place}: {reason}",
                count=count,
                place=place,
                reason=reason,
            )
