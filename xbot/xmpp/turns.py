"""So many at a time, in the order in which they asked."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

#: Joins that one service has to answer at once. Not all of a thousand, or it
#: throttles us; not one after the other, or a slow room holds up all the others.
WINDOW = 20


class Turns:
    """Lets at most ``limit`` go; each that ends lets the next one go."""

    def __init__(self, limit: int = WINDOW) -> None:
        self._limit = limit
        self._going: set[Hashable] = set()
        self._waiting: OrderedDict[Hashable, Callable[[], None]] = OrderedDict()

    def ask(self, who: Hashable, go: Callable[[], None]) -> None:
        """Call ``go()`` when it is the turn of ``who``, at once if there is room."""
        self._waiting[who] = go
        self._let_go()

    def end(self, who: Hashable) -> None:
        """``who`` had its turn, or wants none any more."""
        self._waiting.pop(who, None)
        self._going.discard(who)
        self._let_go()

    def clear(self) -> None:
        """Nobody goes, nobody waits."""
        self._going.clear()
        self._waiting.clear()

    def is_waiting(self, who: Hashable) -> bool:
        """Whether ``who`` asked, and its turn has not come."""
        return who in self._waiting

    def _let_go(self) -> None:
        while self._waiting and len(self._going) < self._limit:
            who, go = self._waiting.popitem(last=False)
            self._going.add(who)
            go()
