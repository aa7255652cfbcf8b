"""Not again so soon: at most one of each kind in a while, whoever asks for how many kinds."""

from __future__ import annotations

from collections import Counter

from twisted.internet.interfaces import IReactorTime

from xbot.model.fair_share import may_have_more


class Cooldown:
    """Allows each key once in ``period`` seconds, and at most ``most`` keys in that time.

    Of those that are said to be of one ``share`` (a domain, a room) it allows as
    many as are left: there is always something for others.
    """

    def __init__(self, clock: IReactorTime, period: float = 60.0, most: int = 1000) -> None:
        self._clock = clock
        self._period = period
        self._most = most
        # In the order of their times.
        self._last: dict[str, tuple[float, str | None]] = {}
        self._taken: Counter[str] = Counter()

    def allows(self, key: str, share: str | None = None) -> bool:
        """Whether it is time for this one; if so, it is not again for a while."""
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
