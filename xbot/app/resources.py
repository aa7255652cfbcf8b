"""Resources of one bot: thread pools, the regex search with a time limit, and the state files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xbot.matching.guarded_search import MAX_STUCK, GuardedSearch
from xbot.process.shutdown import WIND_DOWN_TIMEOUT, within
from xbot.process.threads import InThread
from xbot.state.brain.brain import FILE_NAME as BRAIN_NAME
from xbot.state.brain.brain import Brain
from xbot.state.interfaces import IJournal


class Resources:
    """Threads and state files (in the folder ``state``) of one bot; nothing is opened yet."""

    def __init__(self, reactor: Any, state: Path) -> None:
        self._reactor = reactor
        self._state = state
        self.in_thread = InThread(reactor)
        # Threads of its own: those of responders may all be taken.
        self.guarded_search = GuardedSearch(reactor, InThread(reactor, limit=MAX_STUCK + 1))
        self.brain = Brain(state / BRAIN_NAME, reactor)

    def make_journal(self, keep: float) -> IJournal:
        """Make the journal; it keeps entries for ``keep`` seconds."""
        # Imported late: a bot without effects needs neither the journal nor SQLite.
        from xbot.state.journal.file import FILE_NAME as JOURNAL_NAME
        from xbot.state.journal.journal import Journal

        return Journal(self._state / JOURNAL_NAME, self._reactor, keep=keep)

    async def wind_down(self) -> bool:
        """Wait for the cancelled programs in threads; return whether they ended in time."""
        ending = self.in_thread.wind_down()
        return await within(
            self._reactor, WIND_DOWN_TIMEOUT, ending, "a program did not end in time"
        )
