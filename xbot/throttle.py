"""Not again so soon: at most one of each kind in a while, whoever asks for how many kinds."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime


class Throttle:
    """Allows each key once in ``period`` seconds, and at most ``most`` keys in that time."""

    def __init__(self, clock: IReactorTime, period: float = 60.0, most: int = 1000) -> None:
        self._clock = clock
        self._period = period
        self._most = most
        # In the order of their times.
        self._last: dict[str, float] = {}

    def allows(self, key: str) -> bool:
        """Whether it is time for this one; if so, it is not again for a while."""
        now = self._clock.seconds()
        for old in list(self._last):
            if now - self._last[old] < self._period:
                break
            del self._last[old]
        if key in self._last or len(self._last) >= self._most:
            return False
        self._last[key] = now
        return True
