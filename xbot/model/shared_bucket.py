"""Token buckets, each shared fairly by several users: one user cannot use up a bucket. Pure."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable

from attrs import define, field

from xbot.model.fair_share import may_have_more
from xbot.model.token_bucket import MAX_BUCKETS, Rate, Verdict

#: Maximum number of users of one bucket that are remembered as over their share. Others get no
#: notice.
MAX_OVER = 100

_EVERYONE = ""


@define(eq=False, repr=False)
class _Bucket:
    """``taken`` has the users of the tokens that are not back yet, oldest first."""

    at: float
    taken: deque[str] = field(factory=deque)
    counts: Counter[str] = field(factory=Counter)
    over: set[str] = field(factory=set)


class SharedBuckets:
    """One token bucket per key, whose tokens are shared by dynamic thresholds.

    A user may have as many tokens as are left, so that a single one takes half of them at
    most at once, two take a third each, and so on (:mod:`xbot.model.fair_share`). Tokens come
    back one by one, those that were taken first before others. So a single user still gets all
    of the rate over time.

    A user over the share stays blocked until all of their tokens are back. ``seconds`` is a
    monotonic clock. Users are not empty strings.
    """

    def __init__(self, seconds: Callable[[], float], most: int = MAX_BUCKETS) -> None:
        self._seconds = seconds
        self._most = most
        # In LRU order: the most recently used bucket is the last.
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, user: str, rate: Rate, ago: float = 0.0) -> Verdict:
        """Let ``user`` take one token from the bucket of ``key``, if it is within the share.

        The event was ``ago`` seconds ago. Time in a bucket does not go back: an event before
        the latest one of its key counts as simultaneous with it.
        """
        now = self._seconds() - ago
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        _refill(bucket, max(now, bucket.at), rate)
        own = bucket.counts[user]
        is_blocked = own > 0 and user in bucket.over
        if not is_blocked and may_have_more(own, len(bucket.taken), rate.burst):
            bucket.over.discard(user)
            bucket.taken.append(user)
            bucket.counts[user] += 1
            return Verdict.WITHIN
        # A user who has none is refused because all are taken: that is told once for all users.
        over = user if own else _EVERYONE
        if over in bucket.over or len(bucket.over) >= MAX_OVER:
            return Verdict.STILL
        bucket.over.add(over)
        return Verdict.OVER

    def wait(self, key: str, user: str, rate: Rate) -> float:
        """Seconds from now until ``user``, who was refused, may take a token; not below 0."""
        bucket = self._buckets.get(key)
        if bucket is None:
            return 0.0
        # All of their own, or the next one.
        own = [number for number, each in enumerate(bucket.taken, 1) if each == user]
        back_at = bucket.at + (own[-1] if own else 1) * rate.period / rate.burst
        return max(0.0, back_at - self._seconds())


def _refill(bucket: _Bucket, now: float, rate: Rate) -> None:
    """Give the tokens back that are due at ``now``."""
    each = rate.period / rate.burst
    # Rounded, so that a token is back exactly when it is due.
    back = int(round((now - bucket.at) / each, 6))
    for _ in range(min(back, len(bucket.taken))):
        user = bucket.taken.popleft()
        bucket.counts[user] -= 1
        if not bucket.counts[user]:
            del bucket.counts[user]
    if bucket.taken:
        bucket.at += back * each
    else:
        # Time does not count in advance.
        bucket.at = now
        bucket.over.clear()
