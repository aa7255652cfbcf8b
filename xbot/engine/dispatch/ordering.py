"""FIFO queue for each place: a message that has to wait holds back the later ones there.

A place is a room, or a person in private. Places do not wait for each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred

from xbot.model.fair_share import may_have_more

#: Maximum number of queued messages in one place, and in all places. One place also gets no
#: more than its fair share (:mod:`xbot.model.fair_share`).
MAX_WAITING = 32
MAX_ALTOGETHER = 256

Ending = Deferred[None] | None
"""Fires when a message is durable or refused; None if it is already."""

Deal = Callable[[], Ending]
"""Handles one message."""


class Ordering:
    """The FIFO queues by place; a place has one only while a message of it waits."""

    def __init__(self) -> None:
        # For each place with a message that waits: the queue of messages behind it.
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
        """Call ``deal`` now if the place has no queue; else append it to the queue.

        Check :meth:`is_full` first: this does not.
        """
        behind = self._behind.get(place)
        if behind is None:
            return deal()
        ending: Deferred[None] = Deferred()
        behind.append((deal, ending))
        return ending

    def wait(self, place: str) -> Callable[[], None]:
        """Start a queue for ``place``; return the function that drains it, to be called once."""
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
                # This message has to wait, too: keep the rest in the queue behind it.
                self._behind[place].extend(behind)
                return


def pass_on(ended: Ending, ending: Deferred[None]) -> None:
    """Fire ``ending`` once ``ended`` fires."""
    if ended is None:
        ending.callback(None)
    else:
        ended.chainDeferred(ending)
