"""How often: so many at once, and so many again after a while. A token bucket for each key."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum

from attrs import define, field, frozen, validators

#: So many keys are known. Of those beyond it the one that was longest unheard of is forgotten.
MAX_BUCKETS = 10_000


@frozen
class Rate:
    """``burst`` at once; after ``period`` seconds of nothing as many again, evenly before that."""

    burst: int = field(validator=validators.ge(1))
    period: float = field(validator=validators.gt(0))

    def __str__(self) -> str:
        return f"{self.burst} in {self.period:g} s"


class Verdict(Enum):
    """Whether one more is within the rate."""

    WITHIN = "within"
    #: It is the first one beyond it since the bucket was full.
    OVER = "over"
    #: It is one more of these.
    STILL = "still"


@define(eq=False, repr=False)
class _Bucket:
    tokens: float
    at: float
    is_over: bool = False


class TokenBuckets:
    """A bucket for each key.

    A key that went over its rate is over it until its bucket is full again:
    nobody gets a trickle by going on. ``seconds`` is a clock that never jumps.
    """

    def __init__(self, seconds: Callable[[], float], most: int = MAX_BUCKETS) -> None:
        self._seconds = seconds
        self._most = most
        # The one that was heard of last is at the end.
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, rate: Rate) -> Verdict:
        """Take one from the bucket of ``key``, or say why not."""
        now = self._seconds()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(rate.burst, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
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
