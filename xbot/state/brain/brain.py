"""Brain: persistent key-value storage for responders, in memory with asynchronous saving."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from xbot.model.file_state import FileState, FileUnavailable
from xbot.state.brain.contents import Bounds, Contents, Place
from xbot.state.brain.lasting import Clocks, clocks
from xbot.state.brain.memory import Memory
from xbot.state.interfaces import IBrain
from xbot.state.sqlite.one_thread import OneThread, RunsInOrder
from xbot.state.sqlite.writer import RETRY, Writer

if TYPE_CHECKING:
    from xbot.state.brain.file import BrainFile, Stamp
    from xbot.state.brain.filing import FileSync

#: Name of the file in the state folder.
FILE_NAME = "brain.sqlite"

#: Debounce: seconds that a change waits for further ones before it is saved, unless
#: :meth:`Brain.flushed` is called.
LINGER = 1.0

#: Maximum number of keys per transaction.
MAX_BATCH = 1000

#: Time limit of :meth:`Brain.flushed`, in seconds.
FLUSH_TIMEOUT = 10.0

#: Seconds between two writes of the stamp, which records the time for keys that expire.
STAMP_EVERY = 3600.0


@define(eq=False, repr=False)
class _Waiting:
    """A caller of :meth:`Brain.flushed`, which fires ``saved`` once ``change`` is durable."""

    change: int
    saved: Deferred[None] = field(factory=Deferred)


@implementer(IBrain)
class Brain:
    """IBrain in the SQLite file ``path``, which is created, with its folder, at the first save.

    All values are in memory; :meth:`open` reads them from the file. Changes are saved
    in batches after :data:`LINGER` seconds, or at once when :meth:`flushed` is called.
    Only flushed changes are sure to survive a SIGKILL. When the file fails, the log and
    ``state`` report it, responders go on with the values in memory, and the brain
    retries by itself.

    A file that another process created after :meth:`open` is read at the first write;
    for keys that both have, the value in memory wins.
    """

    _log = Logger()

    def __init__(
        self,
        path: Path,
        reactor: Any,
        *,
        clocks: Callable[[], Clocks] = clocks,
        in_thread: RunsInOrder | None = None,
        open_file: Callable[[Path], BrainFile] | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._path = path
        self._reactor = reactor
        self._clocks = clocks()
        self._contents = Contents(self._clocks.uptime, self._got_change, bounds)
        self._batch: dict[Place, int] = {}
        self._open_file = open_file
        self._in_thread = in_thread or OneThread(reactor, "xbot brain")
        self._unused = FileState(None, self._clocks.wall())
        # Whether a file exists or is needed; and whether opening it was tried.
        self._is_used = False
        self._was_tried = False
        self._waiting: list[_Waiting] = []
        # Why the latest save failed.
        self._problem = ""
        # Batches whose save is in progress.
        self._unanswered = 0
        self._is_closing = False
        self._timer: IDelayedCall | None = None
        self._stamping: IDelayedCall | None = None

    # Lazy: these import SQLite, which a brain without a file does not need.

    @cached_property
    def _sync(self) -> FileSync:
        from xbot.state.brain.file import BrainFile
        from xbot.state.brain.filing import FileSync

        open_file = self._open_file or BrainFile
        return FileSync(self._path, self._contents, self._clocks, open_file, lambda: self._batch)

    @cached_property
    def _writer(self) -> Writer[BrainFile]:
        return self._sync.writer(self._reactor, self._in_thread, self._clocks.wall)

    @property
    def state(self) -> FileState:
        """Whether saving works. An unused brain, which has no file, is ok."""
        return self._writer.state if self._was_tried else self._unused

    def namespace(self, name: str) -> Memory:
        return Memory(self._contents, checked_name(name))

    def open(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._begin())

    def flushed(self) -> Deferred[None]:
        """Fires once all changes made before this call are durable; at once if they are.

        Call it on the reactor's thread.

        :raises FileUnavailable: (by the Deferred) when saving fails, or the disk does not
            respond for :data:`FLUSH_TIMEOUT` seconds. The values stay in memory, and the brain
            retries.
        """
        with self._contents.lock:
            is_catching_up = self._is_used and self._sync.is_catching_up
            is_saved = not self._contents.is_unsaved and not is_catching_up
        if is_saved and not self._batch:
            return succeed(None)
        if self._was_tried and self._writer.state.problem is not None:
            return fail(FileUnavailable(self._path, self._writer.state.problem))
        waiting = _Waiting(self._contents.last_change)
        self._waiting.append(waiting)
        self._save()
        return waiting.saved.addTimeout(FLUSH_TIMEOUT, self._reactor, self._got_stuck)

    def close(self) -> Deferred[None]:
        if self._is_closing:
            return succeed(None)
        self._is_closing = True
        with self._contents.lock:
            self._contents.closed = "the bot has stopped"
        for timer in (self._timer, self._stamping):
            if timer is not None and timer.active():
                timer.cancel()
        if self._contents.is_unsaved:
            self._use()
        if not self._is_used:
            self._in_thread.stop()
            return succeed(None)
        # Take all batches first: a save that is refused at once gives its batch back.
        batches = list(iter(lambda: self._contents.take_unsaved(MAX_BATCH), {}))
        for batch in batches:
            self._save_batch(batch)
        # Write the stamp: the present time, for keys that expire.
        self._writer.do(partial(self._sync.store, ())).addErrback(lambda _: None)
        return self._writer.close().addCallback(self._got_closed)

    # On the reactor: when to save

    async def _begin(self) -> None:
        if self._is_there():
            self._is_used = True
            try:
                await self._writer.open()
            finally:
                self._was_tried = True
        if not self._is_closing:
            with self._contents.lock:
                self._contents.closed = None
            if self._is_used:
                self._stamp_later()

    def _is_there(self) -> bool:
        # Also true on other errors: opening the file will report them.
        try:
            os.stat(self._path)
        except FileNotFoundError:
            return False
        except OSError:
            pass
        return True

    def _use(self) -> None:
        """Open the file, which creates it, unless that was done before."""
        if not self._is_used:
            self._is_used = True
            self._writer.open().addErrback(self._got_unusable).addCallback(self._got_tried)

    def _got_tried(self, _: object) -> None:
        self._was_tried = True
        if not self._is_closing:
            self._stamp_later()

    def _got_change(self) -> None:
        # Called in any thread.
        self._reactor.callFromThread(self._save_soon)

    def _save_soon(self) -> None:
        is_due = self._timer is not None and self._timer.active()
        if not is_due and not self._batch and not self._is_closing:
            self._timer = self._reactor.callLater(LINGER, self._save)

    def _save(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._batch or self._is_closing:
            return
        self._batch = self._contents.take_unsaved(MAX_BATCH)
        if self._batch:
            self._use()
            self._save_batch(self._batch)

    def _save_batch(self, batch: dict[Place, int]) -> None:
        self._unanswered += 1
        saved = self._writer.do(partial(self._sync.store, batch))
        saved.addCallbacks(self._got_saved, self._got_unsaved, errbackArgs=(batch,))
        saved.addErrback(self._got_surprise)

    def _got_saved(self, stamp: Stamp) -> None:
        self._unanswered -= 1
        self._sync.stamp = stamp
        if self._is_closing:
            return
        self._batch = {}
        first = self._contents.first_unsaved()
        waiting = self._waiting
        self._waiting = [each for each in waiting if first is not None and each.change >= first]
        for each in waiting:
            if each not in self._waiting:
                each.saved.callback(None)
        if self._waiting:
            self._save()
        elif first is not None:
            self._save_soon()

    def _got_unsaved(self, failure: Failure, batch: dict[Place, int]) -> None:
        self._unanswered -= 1
        self._contents.give_back(batch)
        self._problem = getattr(failure.value, "reason", str(failure.value))
        if not failure.check(FileUnavailable):
            self._got_surprise(failure)
        if self._is_closing:
            return
        self._batch = {}
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.saved.errback(failure)
        # Later than the writer's own retry, which saves these changes as well.
        self._timer = self._reactor.callLater(RETRY + LINGER, self._save)

    def _got_closed(self, _: object) -> None:
        lost = len(self._contents.unsaved())
        if self._unanswered:
            self._problem = "its disk does not answer"
        elif lost:
            self._log.error(
                "{count} values in the brain were not saved: {reason}",
                count=lost,
                reason=self._problem,
            )
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if lost or self._unanswered:
                each.saved.errback(FileUnavailable(self._path, self._problem))
            else:
                each.saved.callback(None)

    def _stamp_later(self) -> None:
        self._stamping = self._reactor.callLater(STAMP_EVERY, self._stamp_now)

    def _stamp_now(self) -> None:
        # This also deletes expired rows.
        stamped = self._writer.do(partial(self._sync.store, ()))
        stamped.addCallbacks(self._got_stamp, lambda _: None)
        self._stamp_later()

    def _got_stamp(self, stamp: Stamp) -> None:
        self._sync.stamp = stamp

    def _got_stuck(self, result: object, _: float) -> None:
        raise FileUnavailable(self._path, "its disk does not answer")

    def _got_unusable(self, failure: Failure) -> None:
        self._log.error(
            "the brain cannot be opened; what responders remember will be lost when the bot"
            " stops: {reason}",
            reason=failure.getErrorMessage(),
        )

    def _got_surprise(self, failure: Failure) -> None:
        self._log.failure("internal error in the brain", failure)


def checked_name(name: str) -> str:
    """Return ``name`` if it is a valid namespace name: non-empty text that UTF-8 can encode.

    Raises TypeError or ValueError.
    """
    if type(name) is not str:
        raise TypeError(f"a namespace's name is a str, not {type(name).__name__}")
    if not name:
        raise ValueError("a namespace has a name")
    name.encode()
    return name
