"""MemoryBrain: an IBrain in memory, for tests of responders that remember things."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from xbot.model.file_state import FileState, FileUnavailable
from xbot.state.brain.brain import checked_name
from xbot.state.brain.contents import Bounds, Contents
from xbot.state.brain.memory import Memory
from xbot.state.interfaces import IBrain

PATH = Path("brain.sqlite")


@implementer(IBrain)
class MemoryBrain:
    """Behaves like :class:`xbot.state.brain.brain.Brain`, but is open from the beginning.

    Set ``problem`` to the text of a disk error to make saving fail; None lets it
    work. ``seconds`` is its clock, such as that of a
    :class:`~twisted.internet.task.Clock`. :meth:`restarted` simulates a restart.
    """

    def __init__(
        self, seconds: Callable[[], float] = time.monotonic, bounds: Bounds | None = None
    ) -> None:
        self.problem: str | None = None
        self._seconds = seconds
        self._bounds = bounds
        self._contents = Contents(seconds, bounds=bounds)
        self._contents.closed = None

    @property
    def state(self) -> FileState:
        return FileState(self.problem, self._seconds())

    def namespace(self, name: str) -> Memory:
        return Memory(self._contents, checked_name(name))

    def open(self) -> Deferred[None]:
        self._contents.closed = None
        return succeed(None)

    def flushed(self) -> Deferred[None]:
        """Fires at once; fails while there is a ``problem`` and something new to save."""
        if self.problem is not None and self._contents.is_unsaved:
            return fail(FileUnavailable(PATH, self.problem))
        self._contents.take_unsaved(self._contents.last_change)
        return succeed(None)

    def close(self) -> Deferred[None]:
        self._contents.closed = "the bot has stopped"
        return succeed(None)

    def restarted(self) -> MemoryBrain:
        """A new brain with the same contents, as the next process finds it."""
        again = MemoryBrain(self._seconds, self._bounds)
        rows, _ = self._contents.rows(self._contents.all_places())
        again._contents.adopt(rows, self._contents.now())
        return again
