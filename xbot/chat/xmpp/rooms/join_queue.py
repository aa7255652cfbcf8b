"""Bounded FIFO: at most N joins in flight per service, with a slow-start window."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

#: Joins in flight at one service: initial and maximum window. With all of a thousand at
#: once the service throttles us; one after the other, a slow room blocks all the others.
WINDOW, MAX_WINDOW = 20, 50

#: Occupants of all rooms that are being joined at one service, as far as expected. A server
#: may end a stream to which it sends too much at once: ejabberd at 5,000 stanzas that we have
#: not acknowledged (``max_ack_queue``).
MAX_OCCUPANTS = 1000

#: Occupants that are expected in the first rooms.
FIRST_OCCUPANTS = MAX_OCCUPANTS // 4


class JoinQueue:
    """FIFO queue with a bounded window: each join that ends starts the next one.

    The window begins at ``first`` and grows by one for each answered join, up to
    ``most``, as in TCP's slow start (RFC 5681). An unanswered join, or an empty
    queue, resets it to ``first``. Besides, the rooms in flight have :data:`MAX_OCCUPANTS`
    at most, or there is only one: those that are known from before, or as many as the last
    rooms had.

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
        # Expected occupants of each.
        self._in_flight: dict[Hashable, int] = {}
        self._waiting: OrderedDict[Hashable, tuple[Callable[[], None], int | None]] = OrderedDict()
        self._usual = FIRST_OCCUPANTS
        self._expected = 0

    def ask(self, who: Hashable, start: Callable[[], None], occupants: int | None = None) -> None:
        """Queue ``who`` (a room); call ``start()`` at its turn, at once if the window has room.

        ``occupants`` is their number, if it is known from before.
        """
        self._waiting[who] = (start, occupants)
        self._start_next()

    def end(self, who: Hashable, *, answered: bool = False, occupants: int = 0) -> None:
        """The join of ``who`` ended, answered or not; or it leaves the queue before its turn."""
        self._waiting.pop(who, None)
        if who in self._in_flight:
            self._expected -= self._in_flight.pop(who)
            self._limit = min(self._limit + 1, self._most) if answered else self._first
            self._usual = max(occupants, self._usual * 3 // 4)
        self._start_next()

    def clear(self) -> None:
        """Forget all joins, in flight and waiting, and reset the window."""
        self._in_flight.clear()
        self._waiting.clear()
        self._expected = 0
        self._limit = self._first
        self._usual = FIRST_OCCUPANTS

    def is_waiting(self, who: Hashable) -> bool:
        """Whether ``who`` waits for its turn."""
        return who in self._waiting

    @property
    def has_next(self) -> bool:
        """Whether a join waits, and the window has room for it."""
        if not self._waiting or len(self._in_flight) >= self._limit:
            return False
        _, occupants = self._waiting[next(iter(self._waiting))]
        total = self._expected + self._expect(occupants)
        return not self._in_flight or total <= MAX_OCCUPANTS

    def start_one(self) -> None:
        """Start the join that waits longest; only if :attr:`has_next`."""
        who, (start, occupants) = self._waiting.popitem(last=False)
        self._expected -= self._in_flight.get(who, 0)
        self._in_flight[who] = self._expect(occupants)
        self._expected += self._in_flight[who]
        start()

    def _expect(self, occupants: int | None) -> int:
        return self._usual if occupants is None else occupants

    def _start_next(self) -> None:
        if not self._waiting:
            self._limit = self._first
        while self.has_next and self._pace(self):
            self.start_one()
