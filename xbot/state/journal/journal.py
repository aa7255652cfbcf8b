"""Write-ahead journal of commands: an entry is durable before its command runs.

This makes commands run at most once, also across crashes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from zope.interface import implementer

from xbot.model.file_state import FileState
from xbot.model.journal_entry import INTERRUPTED, REFUSED, Entry
from xbot.model.message import Message
from xbot.state.interfaces import IJournal
from xbot.state.journal.file import KIND, JournalFile
from xbot.state.sqlite.one_thread import RunsInOrder
from xbot.state.sqlite.owned import OwnedFile

#: Old entries are pruned after PRUNE_AFTER new ones, and every PRUNE_EVERY seconds.
PRUNE_AFTER = 250
PRUNE_EVERY = 3600.0


@implementer(IJournal)
class Journal:
    """IJournal in the SQLite file ``path``, whose folder is created if it is missing.

    ``keep`` is how long entries are kept, in seconds. When the file fails, the
    journal reports it in the log and in ``state``, refuses new entries, queues
    outcomes in memory, and retries by itself.
    """

    def __init__(
        self,
        path: Path,
        reactor: Any,
        *,
        wall_clock: Callable[[], float] = time.time,
        keep: float = 30 * 86400.0,
        in_thread: RunsInOrder | None = None,
        open_file: Callable[[Path], JournalFile] = JournalFile,
    ) -> None:
        self._reactor = reactor
        self._wall_clock = wall_clock
        self._keep = keep
        self._file = OwnedFile(KIND, path, open_file, prepare=self._settle)
        self._writer = self._file.writer(reactor, in_thread, wall_clock)
        # The last number of earlier processes; None until it was read.
        self._before: int | None = None
        # Entries accepted by this process, without an outcome in the file.
        self._under_way: set[int] = set()
        self._new_entries = 0
        self._pruning: IDelayedCall | None = None
        self._is_closed = False

    @property
    def state(self) -> FileState:
        return self._writer.state

    def change(self, keep: float) -> None:
        self._keep = keep

    def open(self) -> Deferred[None]:
        return self._writer.open().addCallback(lambda _: self._prune_later())

    def accept(
        self, message: Message, responder: str, outcome: str | None = None
    ) -> Deferred[int | None]:
        # The age of an entry is measured by the wall clock, for the next process has no other.
        assert message.key is not None
        now = self._wall_clock()
        accepted = self._writer.do(lambda file: file.accept(message, responder, now, outcome))
        return accepted.addCallback(self._got_accepted)

    def agree(self, number: int) -> Deferred[None]:
        return self._writer.do(lambda file: file.agree(number))

    def note(self, message: Message, responder: str, outcome: str) -> Deferred[None]:
        assert message.key is not None
        now = self._wall_clock()
        noted = self._writer.do(lambda file: file.note(message, responder, outcome, now))
        return noted.addCallback(lambda _: self._got_new())

    def finish(self, number: int, outcome: str) -> Deferred[None]:
        now = self._wall_clock()
        finished = self._writer.do(lambda file: file.finish(number, outcome, now), retry=True)
        return finished.addCallback(lambda _: self._under_way.discard(number))

    def interrupted(self) -> Deferred[list[Entry]]:
        return self._writer.do(lambda file: file.interrupted(self._before or 0), retry=True)

    def reported(self, number: int) -> Deferred[None]:
        return self._writer.do(lambda file: file.reported(number), retry=True)

    def recent(self, limit: int) -> Deferred[list[Entry]]:
        return self._writer.do(lambda file: file.recent(limit))

    def close(self) -> Deferred[None]:
        self._is_closed = True
        if self._pruning is not None and self._pruning.active():
            self._pruning.cancel()
        return self._writer.close()

    def _settle(self, file: JournalFile) -> None:
        """Settle the unfinished entries of a file that was opened, in the thread."""
        # Unfinished entries of earlier processes were interrupted. Of this process there
        # can be entries that were written although the disk reported a failure.
        outcome = INTERRUPTED if self._before is None else REFUSED
        now = self._wall_clock()
        _, last = file.commit(
            [
                lambda file: file.settle(self._under_way, outcome, now),
                lambda file: file.last_number(),
            ]
        )
        if self._before is None:
            self._before = last

    def _got_accepted(self, number: int | None) -> int | None:
        if number is not None:
            self._under_way.add(number)
            self._got_new()
        return number

    def _got_new(self) -> None:
        self._new_entries += 1
        if self._new_entries >= PRUNE_AFTER:
            self._prune()

    def _prune_later(self) -> None:
        if self._is_closed:
            return
        self._prune()
        self._pruning = self._reactor.callLater(PRUNE_EVERY, self._prune_later)

    def _prune(self) -> None:
        self._new_entries = 0
        before = self._wall_clock() - self._keep
        # The writer reports failures itself.
        self._writer.do(lambda file: file.prune(before)).addErrback(lambda _: None)
