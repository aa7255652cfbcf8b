"""Group commit to a durable file: many actions per transaction, with retry when the disk fails.

Actions that arrive while a transaction is being committed share the next one, so
that a hundred commands at once wait for one or two fsyncs, not for a hundred.
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

#: Maximum number of actions that are queued, and of actions in one transaction.
MAX_WAITING = 10_000
MAX_BATCH = 1_000

#: Seconds from a failure to the next retry.
RETRY = 5.0

#: Time limit for :meth:`Writer.close`, in seconds, where the disk does not respond.
CLOSE_TIMEOUT = 5.0

F = TypeVar("F", bound="DurableFile")


class _Phase(Enum):
    CLOSED = "closed"  # not opened yet, or closed for good
    OPENING = "opening"  # in the thread; actions are queued
    OPEN = "open"
    COMMITTING = "committing"  # in the thread; actions are queued
    FAILED = "failed"  # until the retry: only actions with retry are queued


@define(eq=False, repr=False)
class _Queued(Generic[F]):
    """One queued action. With ``retry`` it stays queued while the file fails."""

    action: Callable[[F], Any]
    retry: bool
    result: Deferred[Any] = field(factory=Deferred)


class Writer(Generic[F]):
    """Runs actions on the open file in group commits, and opens it again after a failure.

    ``open_file`` returns the file, and the new path of a corrupt one or None, which
    ``state`` then shows as ``lost``. ``release`` gives up the lock that ``open_file``
    took. Both are called in the thread. ``state`` can be read at any time.
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
        self._phase = _Phase.CLOSED
        self._file: F | None = None
        self._waiting: deque[_Queued[F]] = deque()
        self._timer: IDelayedCall | None = None
        self._closing: Deferred[None] | None = None

    def open(self) -> Deferred[None]:
        """Open the file. Fires after the first try; fails only if retrying cannot help."""
        self._phase = _Phase.OPENING
        return self._in_thread(self._open_file).addCallbacks(self._got_open, self._got_problem)

    def do(self, action: Callable[[F], Any], retry: bool = False) -> Deferred[Any]:
        """Queue ``action``. Fires with its result once its transaction is durable.

        With ``retry`` it stays queued while the file fails; else it is refused.

        :raises FileUnavailable: (by the Deferred) when it was not done.
        """
        is_refused = self._phase is _Phase.CLOSED or (
            not retry and (self._phase is _Phase.FAILED or self._closing is not None)
        )
        if is_refused:
            return fail(self._unavailable(self.state.problem or "it is closed"))
        if len(self._waiting) >= MAX_WAITING:
            return fail(self._unavailable("too many writes wait for the disk"))
        queued = _Queued(action, retry)
        self._waiting.append(queued)
        self._advance()
        return queued.result

    def close(self) -> Deferred[None]:
        """Write what is queued, then close the file. Fires when done, or at CLOSE_TIMEOUT."""
        if self._phase is _Phase.CLOSED or self._closing is not None:
            return succeed(None)
        closing = self._closing = Deferred()
        closing.addTimeout(CLOSE_TIMEOUT, self._reactor).addErrback(self._got_stuck)
        self._advance()
        return closing

    def _advance(self) -> None:
        """Commit the next batch; or close, if :meth:`close` was called and nothing is left."""
        if self._phase is _Phase.OPEN and self._waiting:
            count = min(len(self._waiting), MAX_BATCH)
            batch = [self._waiting.popleft() for _ in range(count)]
            assert self._file is not None
            self._phase = _Phase.COMMITTING
            committed = self._in_thread(self._file.commit, [queued.action for queued in batch])
            committed.addCallbacks(
                self._got_committed, self._got_failed, callbackArgs=(batch,), errbackArgs=(batch,)
            )
            committed.addErrback(self._got_surprise)
        elif self._closing is not None and self._phase in (_Phase.OPEN, _Phase.FAILED):
            self._shut("it is closed")

    def _got_open(self, opened: tuple[F, Path | None]) -> None:
        file, lost = opened
        if self._phase is not _Phase.OPENING:
            # close() timed out while the file was being opened.
            file.close()
            return
        if self._timer is not None:
            self._timer = None
            self._log.info("the {file} works again", file=self._kind.name)
        self._file = file
        self._phase = _Phase.OPEN
        self.state = FileState(None, self._wall_clock(), lost or self.state.lost)
        self._advance()

    def _got_committed(self, results: list[Any], batch: list[_Queued[F]]) -> None:
        if self._phase is not _Phase.COMMITTING:
            return
        # What these callbacks queue in turn shares the next transaction.
        for queued, result in zip(batch, results, strict=True):
            queued.result.callback(result)
        self._phase = _Phase.OPEN
        self._advance()

    def _got_failed(self, failure: Failure, batch: list[_Queued[F]]) -> None:
        if self._phase is _Phase.COMMITTING:
            self._waiting.extendleft(reversed(batch))
            self._got_problem(failure)

    def _got_problem(self, failure: Failure) -> None:
        problem = failure.value
        if not isinstance(problem, FileUnavailable):
            self._shut(failure.getErrorMessage())
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
        self._phase = _Phase.FAILED
        if self._closing is None:
            self._timer = self._reactor.callLater(RETRY, self._try_again)
        given_up = [queued for queued in self._waiting if not queued.retry]
        self._waiting = deque(queued for queued in self._waiting if queued.retry)
        for queued in given_up:
            queued.result.errback(self._unavailable(problem.reason))
        self._advance()

    def _try_again(self) -> None:
        self.open().addErrback(self._got_surprise)

    def _shut(self, why: str) -> None:
        """Close the file, and fail every queued action."""
        self._phase = _Phase.CLOSED
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self.state = FileState(why, self._wall_clock(), self.state.lost)
        waiting, self._waiting = self._waiting, deque()
        for queued in waiting:
            queued.result.errback(self._unavailable(why))
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
            "the disk of the {file} does not respond; its latest changes may be lost",
            file=self._kind.name,
        )
        self._shut("its disk does not answer")

    def _unavailable(self, reason: str) -> FileUnavailable:
        return FileUnavailable(self._path, reason)

    def _got_surprise(self, failure: Failure) -> None:
        self._log.failure("internal error in the {file}", failure, file=self._kind.name)
