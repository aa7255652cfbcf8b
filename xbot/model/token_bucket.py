"""Token-bucket rate limiter, with one bucket per key and a cap on the number of keys."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum

from attrs import define, field, frozen, validators

#: Maximum number of keys. Beyond it the least recently used bucket is dropped (LRU).
MAX_BUCKETS = 10_000


@frozen
class Rate:
    """A rate limit: ``burst`` events at once; the bucket refills evenly in ``period`` seconds."""

    burst: int = field(validator=validators.ge(1))
    period: float = field(validator=validators.gt(0))

    def __str__(self) -> str:
        return f"{self.burst} in {self.period:g} s"


class Verdict(Enum):
    """Whether one more event is within the rate limit."""

    WITHIN = "within"
    #: The first event beyond the limit since the bucket was full.
    OVER = "over"
    #: A further event beyond it.
    STILL = "still"


@define(eq=False, repr=False)
class _Bucket:
    tokens: float
    at: float
    is_over: bool = False


class TokenBuckets:
    """One token bucket per key.

    A key that exceeds its rate stays blocked until its bucket is full again: a
    sender who keeps flooding gets nothing through. ``seconds`` is a monotonic clock.
    """

    def __init__(self, seconds: Callable[[], float], most: int = MAX_BUCKETS) -> None:
        self._seconds = seconds
        self._most = most
        # In LRU order: the most recently used bucket is the last.
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, rate: Rate, ago: float = 0.0) -> Verdict:
        """Take one token from the bucket of ``key``, if there is one.

        The event was ``ago`` seconds ago. Time in a bucket does not go back: an event
        before the latest one of its key counts as simultaneous with it.
        """
        now = self._seconds() - ago
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(rate.burst, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        elif now < bucket.at:
            now = bucket.at
        self._buckets.move_to_end(key)
        gained = (now - bucket.at) * rate.burst / rate.period
        bucket.tokens = min(bucket.tokens + gained, rate.burst)
        bucket.at = now
        if bucket.is_over and bucket.tokens < rate.burst:
            return Verdict.STILL
        bucket.is_over = bucket.tokens < 1
        if bucket.is_over:
            return Verdict.OVER
        bucket.tokens -= 1
        return Verdict.WITHIN

    def wait(self, key: str, rate: Rate) -> float:
        """Seconds from now until the bucket of ``key`` is full again; not below 0."""
        bucket = self._buckets.get(key)
        if bucket is None:
            return 0.0
        full_at = bucket.at + (rate.burst - bucket.tokens) * rate.period / rate.burst
        return max(0.0, full_at - self._seconds())
