"""TestClock: a deterministic clock that runs each due call at its own time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock


class TestClock(Clock):
    """A clock whose ``advance`` stops at each due call on its way.

    So a timer with a period of a minute runs sixty times in an hour, each time at
    its own minute. ``around``, if set, is called with a function that lets the
    time pass, and has to call it.
    """

    around: Callable[[Callable[[], None]], None] | None = None

    # Its name begins with Test, but pytest must not collect it.
    __test__ = False

    def advance(self, amount: float) -> None:
        """Let ``amount`` seconds pass."""
        if self.around is None:
            self._pass(amount)
        else:
            self.around(lambda: self._pass(amount))

    def callFromThread(self, function: Callable[..., Any], *args: Any) -> None:
        # A test has one thread.
        function(*args)

    def settle(self) -> None:
        """Run the calls that are due at this moment."""
        self._pass(0)

    def _pass(self, amount: float) -> None:
        end = self.seconds() + amount
        while self.calls and self.calls[0].getTime() <= end:
            self.rightNow: Any = max(self.seconds(), self.calls[0].getTime())
            Clock.advance(self, 0)
        self.rightNow = max(self.seconds(), end)
