"""The brain: what responders remember, in memory for them, and saved behind their backs."""

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

from xbot.model.file_state import FileState
from xbot.state.brain.contents import Bounds, Contents, Place
from xbot.state.brain.errors import BrainUnavailable
from xbot.state.brain.lasting import Clocks, clocks
from xbot.state.brain.memory import Memory
from xbot.state.interfaces import IBrain
from xbot.state.sqlite.one_thread import OneThread, RunsInOrder
from xbot.state.sqlite.writer import RETRY, Writer

if TYPE_CHECKING:
    from xbot.state.brain.file import BrainFile, Stamp
    from xbot.state.brain.filing import Filing

#: What its file is called in the state folder.
FILE_NAME = "brain.sqlite"

#: Seconds that a change waits for others before it is saved, where nobody waits for it.
LINGER = 1.0

#: In one transaction no more keys than this are saved.
MAX_BATCH = 1000

#: Seconds that :meth:`Brain.flushed` waits for a disk.
FLUSH_TIMEOUT = 10.0

#: Seconds between two notes of how late it is, for what expires.
STAMP_EVERY = 3600.0


@define(eq=False, repr=False)
class _Waiting:
    """Somebody who waits until the change of this number is saved."""

    change: int
    saved: Deferred[None] = field(factory=Deferred)


@implementer(IBrain)
class Brain:
    """The brain in the file ``path``, which is made, with its folder, when there is something
    to save.

    Everything is in memory, and is read when it is opened. Changes are saved in
    groups, soon (:data:`LINGER`), or at once when somebody waits for it with
    :meth:`flushed`; only what was flushed is sure to outlive a SIGKILL. When the
    file fails, the log and ``state`` say so, responders go on remembering in
    memory, and it tries again by itself.

    A file that somebody else has made after we were opened is read when we
    first write; of what both know, ours is kept.
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
        # Whether there is a file, or should be one; and whether it was tried.
        self._is_used = False
        self._was_tried = False
        self._waiting: list[_Waiting] = []
        # What kept us from saving the last time.
        self._problem = ""
        # Batches that were given to the disk and are not back.
        self._unanswered = 0
        self._is_closing = False
        self._timer: IDelayedCall | None = None
        self._stamping: IDelayedCall | None = None

    # These come with SQLite: a brain without a file does without.

    @cached_property
    def _filing(self) -> Filing:
        from xbot.state.brain.file import BrainFile
        from xbot.state.brain.filing import Filing

        open_file = self._open_file or BrainFile
        return Filing(self._path, self._contents, self._clocks, open_file, lambda: self._batch)

    @cached_property
    def _writer(self) -> Writer[BrainFile]:
        from xbot.state.brain.file import KIND

        filing, clock = self._filing, self._reactor
        in_thread, wall_clock = self._in_thread, self._clocks.wall
        return Writer(KIND, self._path, filing.open, filing.release, clock, in_thread, wall_clock)

    @property
    def state(self) -> FileState:
        """Whether it is saved what responders remember. One that nobody has used is ok."""
        return self._writer.state if self._was_tried else self._unused

    def namespace(self, name: str) -> Memory:
        """The memory of this name. It can be had at any time, and used while the brain is open."""
        return Memory(self._contents, checked_name(name))

    def open(self) -> Deferred[None]:
        """Read what is remembered; fires once it was tried, even in vain: then ``state`` says why.

        Fails with :class:`~xbot.state.brain.errors.UnusableBrain` when only a person can help.
        """
        return Deferred.fromCoroutine(self._begin())

    def flushed(self) -> Deferred[None]:
        """Fires once all that was remembered before this call is durable; at once if it is.

        Call it on the reactor's thread.

        :raises BrainUnavailable: (by the Deferred) when it cannot be saved now, or its disk does
            not answer for :data:`FLUSH_TIMEOUT` seconds. It is in memory, and tried again.
        """
        with self._contents.lock:
            is_catching_up = self._is_used and self._filing.is_catching_up
            is_saved = not self._contents.is_unsaved and not is_catching_up
        if is_saved and not self._batch:
            return succeed(None)
        if self._was_tried and self._writer.state.problem is not None:
            return fail(BrainUnavailable(self._path, self._writer.state.problem))
        waiting = _Waiting(self._contents.last_change)
        self._waiting.append(waiting)
        self._save()
        return waiting.saved.addTimeout(FLUSH_TIMEOUT, self._reactor, self._got_stuck)

    def close(self) -> Deferred[None]:
        """Save what is not saved and let go of the file; fires when it is done or took too long."""
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
        # Taken first: what is refused at once comes back.
        batches = list(iter(lambda: self._contents.take_unsaved(MAX_BATCH), {}))
        for batch in batches:
            self._save_batch(batch)
        # How late it is, for what expires.
        self._writer.do(partial(self._filing.store, ())).addErrback(lambda _: None)
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
        # True also where nobody can tell: opening it says why.
        try:
            os.stat(self._path)
        except FileNotFoundError:
            return False
        except OSError:
            pass
        return True

    def _use(self) -> None:
        """From now on there is a file."""
        if not self._is_used:
            self._is_used = True
            self._writer.open().addErrback(self._got_unusable).addCallback(self._got_tried)

    def _got_tried(self, _: object) -> None:
        self._was_tried = True
        if not self._is_closing:
            self._stamp_later()

    def _got_change(self) -> None:
        # In any thread.
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
        saved = self._writer.do(partial(self._filing.store, batch))
        saved.addCallbacks(self._got_saved, self._got_unsaved, errbackArgs=(batch,))
        saved.addErrback(self._got_surprise)

    def _got_saved(self, stamp: Stamp) -> None:
        self._unanswered -= 1
        self._filing.stamp = stamp
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
        if not failure.check(BrainUnavailable):
            self._got_surprise(failure)
        if self._is_closing:
            return
        self._batch = {}
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.saved.errback(failure)
        # After the writer's own next try, which saves it, too.
        self._timer = self._reactor.callLater(RETRY + LINGER, self._save)

    def _got_closed(self, _: object) -> None:
        lost = len(self._contents.unsaved())
        if self._unanswered:
            self._problem = "its disk does not answer"
        elif lost:
            self._log.error(
                "{count} things that responders remember were not saved: {reason}",
                count=lost,
                reason=self._problem,
            )
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if lost or self._unanswered:
                each.saved.errback(BrainUnavailable(self._path, self._problem))
            else:
                each.saved.callback(None)

    def _stamp_later(self) -> None:
        self._stamping = self._reactor.callLater(STAMP_EVERY, self._stamp_now)

    def _stamp_now(self) -> None:
        # Also forgets what has expired.
        stamped = self._writer.do(partial(self._filing.store, ()))
        stamped.addCallbacks(self._got_stamp, lambda _: None)
        self._stamp_later()

    def _got_stamp(self, stamp: Stamp) -> None:
        self._filing.stamp = stamp

    def _got_stuck(self, result: object, _: float) -> None:
        raise BrainUnavailable(self._path, "its disk does not answer")

    def _got_unusable(self, failure: Failure) -> None:
        self._log.error(
            "what responders remember is lost with this process: {reason}",
            reason=failure.getErrorMessage(),
        )

    def _got_surprise(self, failure: Failure) -> None:
        self._log.failure("a mistake in the brain", failure)


def checked_name(name: str) -> str:
    """``name`` if it can be a namespace's: some text. Raises TypeError or ValueError."""
    if type(name) is not str:
        raise TypeError(f"a namespace's name is a str, not {type(name).__name__}")
    if not name:
        raise ValueError("a namespace has a name")
    name.encode()
    return name
