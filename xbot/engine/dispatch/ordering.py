"""FIFO queue for each place: messages are handled in order, although some have to wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred

from xbot.model.fair_share import may_have_more

#: Things that wait in one place behind another, and in all places. One place has as many as are
#: left of these at most.
MAX_WAITING = 32
MAX_ALTOGETHER = 256

Ending = Deferred[None] | None
"""Of something dealt with: fires when it is, in some sense, done; None when it is already."""

Deal = Callable[[], Ending]


class Ordering:
    """Handles messages in order within each place, while one of it waits."""

    def __init__(self) -> None:
        # Places where something waits for its answer, and what is behind it.
        self._behind: dict[str, deque[tuple[Deal, Deferred[None]]]] = {}

    def is_full(self, place: str) -> bool:
        """Whether the queue of ``place`` is full."""
        behind = self._behind.get(place)
        if behind is None:
            return False
        altogether = sum(map(len, self._behind.values()))
        return len(behind) >= MAX_WAITING or not may_have_more(
            len(behind), altogether, MAX_ALTOGETHER
        )

    def is_waiting(self, place: str) -> bool:
        """Whether a message of ``place`` is not handled yet."""
        return place in self._behind

    def deal(self, place: str, deal: Deal) -> Ending:
        """Call ``deal`` now, or once everything before it in this place is handled."""
        behind = self._behind.get(place)
        if behind is None:
            return deal()
        ending: Deferred[None] = Deferred()
        behind.append((deal, ending))
        return ending

    def wait(self, place: str) -> Callable[[], None]:
        """Make ``place`` wait; return the function to call when it can go on."""
        self._behind.setdefault(place, deque())

        def go_on() -> None:
            self._go_on(place)

        return go_on

    def _go_on(self, place: str) -> None:
        behind = self._behind.pop(place)
        while behind:
            deal, ending = behind.popleft()
            pass_on(deal(), ending)
            if place in self._behind:
                # This one waits, too, and the rest behind it.
                self._behind[place].extend(behind)
                return


def pass_on(ended: Ending, ending: Deferred[None]) -> None:
    """Fire ``ending`` once ``ended`` fires."""
    if ended is None:
        ending.callback(None)
    else:
        ended.chainDeferred(ending)
