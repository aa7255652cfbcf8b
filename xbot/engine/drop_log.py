"""Rate-limited log of dropped messages: a rate limit of one line per place and reason."""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

#: Seconds: the delay of the first line, so that it counts messages dropped together, and
#: the interval between two rounds of lines.
GATHER, PERIOD = 1.0, 60.0

#: Maximum number of lines in a round; the drops of further places share one line.
MAX_LINES = 50

OTHERS = "other places"


class DropLog:
    """Counts dropped messages, and logs the counts at most every :data:`PERIOD` seconds."""

    def __init__(self, log: Logger, clock: Any) -> None:
        self._log = log
        self._clock = clock
        # Number of dropped messages by place and reason.
        self._counts: Counter[tuple[str, str]] = Counter()
        self._timer: IDelayedCall | None = None
        self._told_at = float("-inf")
        self._is_stopped = False

    def add(self, place: str, reason: str) -> None:
        """Count one message to ``place`` that was dropped."""
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
        """Log the pending counts now, and later drops at once."""
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
