"""Exponential back-off with jitter: the delay before the next retry."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Retry delays that double from ``first`` to ``most`` seconds, with jitter.

    Each delay is drawn from the upper half of its range, so that a thousand bots
    that lost the same server do not all reconnect at once. ``uniform(low, high)``
    is the source of randomness (``random.uniform``).
    """

    def __init__(self, first: float, most: float, uniform: Callable[[float, float], float]) -> None:
        self._first = first
        self.most = most
        self._uniform = uniform
        self.failures = 0

    def next_delay(self) -> float:
        """Count one more failure; return the seconds to wait, between ``first`` and ``most``."""
        # The exponent is bounded: otherwise weeks of failures would overflow a float.
        ceiling = min(self.most, self._first * 2.0 ** min(self.failures + 1, 60))
        self.failures += 1
        return self._uniform(max(self._first, ceiling / 2), ceiling)

    def reset(self) -> None:
        """Forget all failures: the next delay is the shortest again."""
        self.failures = 0
