"""Time under test: it passes when it is told to, and nothing due is skipped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock

from xbot.testing.surroundings import ThreadlessClock


class TestClock(ThreadlessClock):
    """A clock that stops at all that is due on its way.

    So what is to be done every minute is done sixty times in an hour, each time
    at its own minute. ``around``, if it is set, is called with what is to be done.
    """

    around: Callable[[Callable[[], None]], None] | None = None

    # It begins with Test, and is none.
    __test__ = False

    def advance(self, amount: float) -> None:
        """Let ``amount`` seconds pass."""
        if self.around is None:
            self._pass(amount)
        else:
            self.around(lambda: self._pass(amount))

    def settle(self) -> None:
        """Do what is due at this moment."""
        self._pass(0)

    def _pass(self, amount: float) -> None:
        end = self.seconds() + amount
        while self.calls and self.calls[0].getTime() <= end:
            self.rightNow: Any = max(self.seconds(), self.calls[0].getTime())
            Clock.advance(self, 0)
        self.rightNow = max(self.seconds(), end)
