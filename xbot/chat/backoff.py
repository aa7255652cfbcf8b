"""How long to wait before the next try: growing, bounded, and never in step with others."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Delays that double from ``first`` to ``most`` seconds, each spread over its upper half.

    ``uniform(low, high)`` is the source of randomness (``random.uniform``): a
    thousand bots that lost one server come back spread out.
    """

    def __init__(self, first: float, most: float, uniform: Callable[[float, float], float]) -> None:
        self._first = first
        self.most = most
        self._uniform = uniform
        self.failures = 0

    def next_delay(self) -> float:
        """One more failure: the seconds to wait after it, between ``first`` and ``most``."""
        # The exponent is bounded, or a bot that fails for weeks overflows a float.
        ceiling = min(self.most, self._first * 2.0 ** min(self.failures + 1, 60))
        self.failures += 1
        return self._uniform(max(self._first, ceiling / 2), ceiling)

    def reset(self) -> None:
        """All is well: the next failure is the first one again."""
        self.failures = 0
