"""Bounded FIFO: at most N joins in flight per service, with a slow-start window."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

#: Joins in flight at one service: initial and maximum window. With all of a thousand at
#: once the service throttles us; one after the other, a slow room blocks all the others.
WINDOW, MAX_WINDOW = 20, 200


class JoinQueue:
    """FIFO queue with a bounded window: each join that ends starts the next one.

    The window begins at ``first`` and grows by one for each answered join, up to
    ``most``, as in TCP's slow start (RFC 5681). An unanswered join, or an empty
    queue, resets it to ``first``.

    Before each start it asks ``pace(queue)``; after False it waits for :meth:`start_one`.
    """

    def __init__(
        self,
        first: int = WINDOW,
        most: int = MAX_WINDOW,
        pace: Callable[[JoinQueue], bool] = lambda queue: True,
    ) -> None:
        self._pace = pace
        self._first = self._limit = first
        self._most = most
        self._in_flight: set[Hashable] = set()
        self._waiting: OrderedDict[Hashable, Callable[[], None]] = OrderedDict()

    def ask(self, who: Hashable, start: Callable[[], None]) -> None:
        """Queue ``who`` (a room); call ``start()`` at its turn, at once if the window has room."""
        self._waiting[who] = start
        self._start_next()

    def end(self, who: Hashable, *, answered: bool = False) -> None:
        """The join of ``who`` ended, answered or not; or it leaves the queue before its turn."""
        self._waiting.pop(who, None)
        if who in self._in_flight:
            self._in_flight.remove(who)
            self._limit = min(self._limit + 1, self._most) if answered else self._first
        self._start_next()

    def clear(self) -> None:
        """Forget all joins, in flight and waiting, and reset the window."""
        self._in_flight.clear()
        self._waiting.clear()
        self._limit = self._first

    def is_waiting(self, who: Hashable) -> bool:
        """Whether ``who`` waits for its turn."""
        return who in self._waiting

    @property
    def has_next(self) -> bool:
        """Whether a join waits, and the window has room for it."""
        return bool(self._waiting) and len(self._in_flight) < self._limit

    def start_one(self) -> None:
        """Start the join that waits longest; only if :attr:`has_next`."""
        who, start = self._waiting.popitem(last=False)
        self._in_flight.add(who)
        start()

    def _start_next(self) -> None:
        if not self._waiting:
            self._limit = self._first
        while self.has_next and self._pace(self):
            self.start_one()
