"""Per-key cooldown with a cap on keys; a rate limit for log lines and notices."""

from __future__ import annotations

from collections import Counter

from twisted.internet.interfaces import IReactorTime

from xbot.model.fair_share import may_have_more


class Cooldown:
    """Allows each key once in ``period`` seconds, and at most ``most`` keys in that time.

    Keys of one ``share`` (a domain, a room) get at most their fair share of ``most``
    (:mod:`xbot.model.fair_share`), so that some is always left for others.
    """

    def __init__(self, clock: IReactorTime, period: float = 60.0, most: int = 1000) -> None:
        self._clock = clock
        self._period = period
        self._most = most
        # For each key when it was allowed, and its share; oldest first.
        self._last: dict[str, tuple[float, str | None]] = {}
        self._taken: Counter[str] = Counter()

    def allows(self, key: str, share: str | None = None) -> bool:
        """Whether ``key`` is allowed now; if so, its cooldown starts."""
        now = self._clock.seconds()
        for old in list(self._last):
            then, its_share = self._last[old]
            if now - then < self._period:
                break
            del self._last[old]
            if its_share is not None:
                self._taken -= Counter([its_share])
        if key in self._last or len(self._last) >= self._most:
            return False
        if share is not None:
            if not may_have_more(self._taken[share], len(self._last), self._most):
                return False
            self._taken[share] += 1
        self._last[key] = now, share
        return True

    def remaining(self, key: str) -> float:
        """Seconds until the cooldown of ``key`` ends; 0 if it has none."""
        known = self._last.get(key)
        if known is None:
            return 0.0
        return max(0.0, known[0] + self._period - self._clock.seconds())
