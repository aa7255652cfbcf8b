"""Group commit: many things to a transaction, and what happens when the disk fails.

Whatever is asked for while a transaction is being committed goes into the next
one, so that a hundred commands at once wait for one or two fsyncs, not for a
hundred.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, TimeoutError, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from xbot.model.file_state import FileState, FileUnavailable
from xbot.state.sqlite.one_thread import RunsInOrder

if TYPE_CHECKING:
    from xbot.state.sqlite.file import DurableFile, Kind

#: What waits for the disk: no more than this in all, and in one transaction.
MAX_WAITING = 10_000
MAX_BATCH = 1_000

#: Seconds from a failure to the next try.
RETRY = 5.0

#: Seconds that closing waits for a disk that does not answer.
CLOSE_TIMEOUT = 5.0

F = TypeVar("F", bound="DurableFile")


class _Is(Enum):
    CLOSED = "closed"  # not opened yet, or closed for good
    OPENING = "opening"  # in the thread; what is asked for waits
    OPEN = "open"
    COMMITTING = "committing"  # in the thread; what is asked for waits
    FAILED = "failed"  # until the timer: what is asked for is refused, what is kept waits


@define(eq=False, repr=False)
class _Wanted(Generic[F]):
    """Something to do in a transaction. ``is_kept``: it waits while the file fails."""

    action: Callable[[F], Any]
    is_kept: bool
    result: Deferred[Any] = field(factory=Deferred)


class Writer(Generic[F]):
    """Gives actions to the one open file, and opens it again when it fails.

    ``open_file`` and ``release``, which lets go of what the first has taken
    besides the file, are called in the thread. ``state`` can be read at any
    time; it is the first's second result that it shows as ``lost``.
    """

    _log = Logger()

    def __init__(
        self,
        kind: Kind,
        path: Path,
        open_file: Callable[[], tuple[F, Path | None]],
        release: Callable[[], None],
        reactor: Any,
        in_thread: RunsInOrder,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.state = FileState("it was not opened", wall_clock())
        self._kind = kind
        self._path = path
        self._open_file = open_file
        self._release = release
        self._reactor = reactor
        self._in_thread = in_thread
        self._wall_clock = wall_clock
        self._is = _Is.CLOSED
        self._file: F | None = None
        self._waiting: deque[_Wanted[F]] = deque()
        self._timer: IDelayedCall | None = None
        self._closing: Deferred[None] | None = None

    def open(self) -> Deferred[None]:
        """Fires once it was tried; fails with what no further try can cure."""
        self._is = _Is.OPENING
        return self._in_thread(self._open_file).addCallbacks(self._got_open, self._got_problem)

    def do(self, action: Callable[[F], Any], is_kept: bool = False) -> Deferred[Any]:
        """The result of ``action``, once the transaction that it was part of is durable.

        While the file fails, what ``is_kept`` waits for the next one.

        :raises FileUnavailable: of its kind (by the Deferred) when it was not done.
        """
        is_refused = self._is is _Is.CLOSED or (
            not is_kept and (self._is is _Is.FAILED or self._closing is not None)
        )
        if is_refused:
            return fail(self._unavailable(self.state.problem or "it is closed"))
        if len(self._waiting) >= MAX_WAITING:
            return fail(self._unavailable("too much waits for the disk"))
        wanted = _Wanted(action, is_kept)
        self._waiting.append(wanted)
        self._go_on()
        return wanted.result

    def close(self) -> Deferred[None]:
        """Write what waits, then let go of the file; fires when that is done, or took too long."""
        if self._is is _Is.CLOSED or self._closing is not None:
            return succeed(None)
        closing = self._closing = Deferred()
        closing.addTimeout(CLOSE_TIMEOUT, self._reactor).addErrback(self._got_stuck)
        self._go_on()
        return closing

    def _go_on(self) -> None:
        """Commit what waits, or close if that was asked for and nothing can be done any more."""
        if self._is is _Is.OPEN and self._waiting:
            count = min(len(self._waiting), MAX_BATCH)
            batch = [self._waiting.popleft() for _ in range(count)]
            assert self._file is not None
            self._is = _Is.COMMITTING
            committed = self._in_thread(self._file.commit, [wanted.action for wanted in batch])
            committed.addCallbacks(
                self._got_committed, self._got_failed, callbackArgs=(batch,), errbackArgs=(batch,)
            )
            committed.addErrback(self._got_surprise)
        elif self._closing is not None and self._is in (_Is.OPEN, _Is.FAILED):
            self._let_go("it is closed")

    def _got_open(self, opened: tuple[F, Path | None]) -> None:
        file, lost = opened
        if self._is is not _Is.OPENING:
            # A close() that waited no longer came before.
            file.close()
            return
        if self._timer is not None:
            self._timer = None
            self._log.info("the {file} works again", file=self._kind.name)
        self._file = file
        self._is = _Is.OPEN
        self.state = FileState(None, self._wall_clock(), lost or self.state.lost)
        self._go_on()

    def _got_committed(self, results: list[Any], batch: list[_Wanted[F]]) -> None:
        if self._is is not _Is.COMMITTING:
            return
        # What they ask for in turn is in the next transaction together.
        for wanted, result in zip(batch, results, strict=True):
            wanted.result.callback(result)
        self._is = _Is.OPEN
        self._go_on()

    def _got_failed(self, failure: Failure, batch: list[_Wanted[F]]) -> None:
        if self._is is _Is.COMMITTING:
            self._waiting.extendleft(reversed(batch))
            self._got_problem(failure)

    def _got_problem(self, failure: Failure) -> None:
        problem = failure.value
        if not isinstance(problem, FileUnavailable):
            self._let_go(failure.getErrorMessage())
            failure.raiseException()
            return
        if self.state.problem != problem.reason:
            self._log.error(
                "the {file} {path} cannot be written: {reason}; {meanwhile}",
                file=self._kind.name,
                meanwhile=self._kind.meanwhile,
                path=str(self._path),
                reason=problem.reason,
            )
            self.state = FileState(problem.reason, self._wall_clock(), self.state.lost)
        self._file = None
        self._is = _Is.FAILED
        if self._closing is None:
            self._timer = self._reactor.callLater(RETRY, self._try_again)
        given_up = [wanted for wanted in self._waiting if not wanted.is_kept]
        self._waiting = deque(wanted for wanted in self._waiting if wanted.is_kept)
        for wanted in given_up:
            wanted.result.errback(self._unavailable(problem.reason))
        self._go_on()

    def _try_again(self) -> None:
        self.open().addErrback(self._got_surprise)

    def _let_go(self, why: str) -> None:
        """Close what is open, and tell all who wait."""
        self._is = _Is.CLOSED
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self.state = FileState(why, self._wall_clock(), self.state.lost)
        waiting, self._waiting = self._waiting, deque()
        for wanted in waiting:
            wanted.result.errback(self._unavailable(why))
        file, self._file = self._file, None
        if file is not None:
            self._in_thread(file.close).addErrback(self._got_surprise)
        released = self._in_thread(self._release).addErrback(self._got_surprise)
        released.addCallback(self._got_released)
        self._in_thread.stop()

    def _got_released(self, _: object) -> None:
        if self._closing is not None and not self._closing.called:
            self._closing.callback(None)

    def _got_stuck(self, failure: Failure) -> None:
        failure.trap(TimeoutError)
        self._log.error(
            "the disk of the {file} does not answer; the last of what it was given may be missing",
            file=self._kind.name,
        )
        self._let_go("its disk does not answer")

    def _unavailable(self, reason: str) -> FileUnavailable:
        return self._kind.unavailable(self._path, reason)

    def _got_surprise(self, failure: Failure) -> None:
        self._log.failure("a mistake in the {file}", failure, file=self._kind.name)
