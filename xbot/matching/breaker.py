"""Circuit breaker for slow patterns: after several time-outs a pattern is paused. Pure."""

from __future__ import annotations

from xbot.matching.pattern import Pattern

#: After STRIKES time-outs within MEMORY seconds, a pattern is paused for ASIDE seconds.
STRIKES = 3
MEMORY = 600.0
ASIDE = 300.0


class Breaker:
    """Counts the time-outs of each pattern; ``now`` is seconds of any monotonic clock."""

    def __init__(self) -> None:
        self._strikes: dict[Pattern, list[float]] = {}
        self._aside: dict[Pattern, float] = {}

    def allows(self, pattern: Pattern, now: float) -> bool:
        """Whether the pattern may be tried."""
        return self._aside.get(pattern, 0.0) <= now

    def strike(self, pattern: Pattern, now: float) -> bool:
        """Count a time-out of ``pattern``; returns whether it is paused now."""
        self._forget(now)
        strikes = self._strikes.setdefault(pattern, [])
        strikes.append(now)
        if len(strikes) < STRIKES:
            return False
        del self._strikes[pattern]
        self._aside[pattern] = now + ASIDE
        return True

    def switch_off(self, pattern: Pattern) -> None:
        """Pause ``pattern`` for ever."""
        self._aside[pattern] = float("inf")

    def _forget(self, now: float) -> None:
        self._aside = {pattern: until for pattern, until in self._aside.items() if until > now}
        recent = {
            pattern: [time for time in times if time > now - MEMORY]
            for pattern, times in self._strikes.items()
        }
        self._strikes = {pattern: times for pattern, times in recent.items() if times}
