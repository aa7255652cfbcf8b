"""The journal: what was accepted to run, durably before it runs, and what came of it.

It is why a command runs at most once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from zope.interface import implementer

from xbot.model.file_state import FileState
from xbot.model.journal_entry import INTERRUPTED, REFUSED, Entry
from xbot.model.message import Message
from xbot.state.interfaces import IJournal
from xbot.state.journal.file import KIND, JournalFile
from xbot.state.sqlite.one_thread import OneThread, RunsInOrder
from xbot.state.sqlite.owned import OwnedFile
from xbot.state.sqlite.writer import Writer

#: Some of the oldest entries go after so many new ones, and every so many seconds.
PRUNE_AFTER = 250
PRUNE_EVERY = 3600.0


@implementer(IJournal)
class Journal:
    """The journal in the file ``path``, whose folder is made if need be.

    ``keep`` is how long entries are kept, in seconds. When the file fails it
    says so in the log and in ``state``, refuses new entries, keeps outcomes in
    memory, and tries again by itself.
    """

    _log = Logger()

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
        self._path = path
        self._reactor = reactor
        self._wall_clock = wall_clock
        self._keep = keep
        self._file = OwnedFile(KIND, path, open_file, self._got_broken)
        in_thread = in_thread or OneThread(reactor, "xbot journal")
        self._writer = Writer(
            KIND, path, self._open, self._file.release, reactor, in_thread, wall_clock
        )
        # The last number of the processes before us; None until it was read.
        self._before: int | None = None
        # Accepted by us, and without an outcome in the file.
        self._under_way: set[int] = set()
        self._new_entries = 0
        self._pruning: IDelayedCall | None = None
        self._is_closed = False

    @property
    def state(self) -> FileState:
        """Whether it works now."""
        return self._writer.state

    def change(self, keep: float) -> None:
        """From now on entries are kept for so many seconds."""
        self._keep = keep

    def open(self) -> Deferred[None]:
        """Fires once it was tried, even in vain: then ``state`` says why, and it tries again.

        Fails with :class:`~xbot.model.journal_entry.UnusableJournal` when only a person can help.
        """
        return self._writer.open().addCallback(lambda _: self._prune_later())

    def accept(
        self, message: Message, responder: str, outcome: str | None = None
    ) -> Deferred[int | None]:
        """The new entry's number, once it is durable; None for what was accepted before.

        With the ``outcome`` ``waiting`` it must not run before :meth:`agree`.

        :raises JournalUnavailable: (by the Deferred) when it is not, and must not run.
        """
        assert message.key is not None
        now = self._wall_clock()
        accepted = self._writer.do(lambda file: file.accept(message, responder, now, outcome))
        return accepted.addCallback(self._got_accepted)

    def agree(self, number: int) -> Deferred[None]:
        """What waited may run; fires once that is durable.

        :raises JournalUnavailable: (by the Deferred) when it is not, and must not run.
        """
        return self._writer.do(lambda file: file.agree(number))

    def note(self, message: Message, responder: str, outcome: str) -> Deferred[None]:
        """Keep what did not run and why; fires once that is durable."""
        assert message.key is not None
        now = self._wall_clock()
        noted = self._writer.do(lambda file: file.note(message, responder, outcome, now))
        return noted.addCallback(lambda _: self._got_new())

    def finish(self, number: int, outcome: str) -> Deferred[None]:
        """Note what came of an entry; fires once that is durable."""
        now = self._wall_clock()
        finished = self._writer.do(lambda file: file.finish(number, outcome, now), is_kept=True)
        return finished.addCallback(lambda _: self._under_way.discard(number))

    def interrupted(self) -> Deferred[list[Entry]]:
        """What an earlier process did not finish, or not begin, and nobody was told of yet.

        Waits for the file, should it not work.
        """
        return self._writer.do(lambda file: file.interrupted(self._before or 0), is_kept=True)

    def reported(self, number: int) -> Deferred[None]:
        """Somebody was told that this entry was interrupted."""
        return self._writer.do(lambda file: file.reported(number), is_kept=True)

    def recent(self, limit: int) -> Deferred[list[Entry]]:
        """The newest ``limit`` entries, the newest last."""
        return self._writer.do(lambda file: file.recent(limit))

    def close(self) -> Deferred[None]:
        """Write what waits, then let go of the file; fires when that is done, or took too long."""
        self._is_closed = True
        if self._pruning is not None and self._pruning.active():
            self._pruning.cancel()
        return self._writer.close()

    def _open(self) -> tuple[JournalFile, Path | None]:
        """In the thread, while nothing is accepted: the file, and where a broken one went."""
        file, lost = self._file.open()
        # What processes before us left was interrupted. Of our own there can be
        # what was written although the disk said that it was not.
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
        return file, lost

    def _got_broken(self, reason: str, lost: Path) -> None:
        self._log.critical(
            "the journal {path} is broken ({reason}) and was moved to {lost}. What was accepted"
            " before is forgotten: if it is sent once more, it runs once more",
            path=str(self._path),
            reason=reason,
            lost=str(lost),
        )

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
        # Whatever keeps it from that is told by others.
        self._writer.do(lambda file: file.prune(before)).addErrback(lambda _: None)
