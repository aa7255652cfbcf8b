"""So many at a time, in the order in which they asked."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

#: Joins that one service has to answer at once, at first and at most. Not all of a
#: thousand, or it throttles us; not one after the other, or a slow room holds up all
#: the others.
WINDOW, WIDEST = 20, 200


class JoinQueue:
    """Lets some go at the same time; each that ends lets the next one go.

    As many as ``first`` may go, and one more for each that was answered, up to
    ``most``: who answers quickly is asked quickly, as in TCP's slow start (RFC 5681).
    One that is not answered, or nobody left who waits, and it begins anew.
    """

    def __init__(self, first: int = WINDOW, most: int = WIDEST) -> None:
        self._first = self._limit = first
        self._most = most
        self._going: set[Hashable] = set()
        self._waiting: OrderedDict[Hashable, Callable[[], None]] = OrderedDict()

    def ask(self, who: Hashable, go: Callable[[], None]) -> None:
        """Call ``go()`` when it is the turn of ``who``, at once if there is room."""
        self._waiting[who] = go
        self._let_go()

    def end(self, who: Hashable, *, answered: bool = False) -> None:
        """``who`` had its turn, and was answered or not; or wants none any more."""
        self._waiting.pop(who, None)
        if who in self._going:
            self._going.remove(who)
            self._limit = min(self._limit + 1, self._most) if answered else self._first
        self._let_go()

    def clear(self) -> None:
        """Nobody goes, nobody waits."""
        self._going.clear()
        self._waiting.clear()
        self._limit = self._first

    def is_waiting(self, who: Hashable) -> bool:
        """Whether ``who`` asked, and its turn has not come."""
        return who in self._waiting

    def _let_go(self) -> None:
        if not self._waiting:
            self._limit = self._first
        while self._waiting and len(self._going) < self._limit:
            who, go = self._waiting.popitem(last=False)
            self._going.add(who)
            go()
