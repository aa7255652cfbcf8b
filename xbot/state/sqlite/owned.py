"""Exclusive ownership of a durable file: a lock file, and recovery from a corrupt database."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from twisted.logger import Logger

from xbot.state.sqlite.file import BrokenFile, DurableFile, Kind, move_aside, take_lock
from xbot.state.sqlite.one_thread import OneThread, RunsInOrder
from xbot.state.sqlite.writer import Writer

F = TypeVar("F", bound=DurableFile)


class OwnedFile(Generic[F]):
    """Opens ``path`` with ``open_file`` under an exclusive lock. Blocking: call it in a thread.

    A corrupt file is moved aside and replaced by an empty one, and the log says so.
    ``prepare`` is called with each file that was opened, before anything else is done with it.
    """

    _log = Logger()

    def __init__(
        self,
        kind: Kind,
        path: Path,
        open_file: Callable[[Path], F],
        prepare: Callable[[F], object] = lambda file: None,
    ) -> None:
        self._kind = kind
        self._path = path
        self._open_file = open_file
        self._prepare = prepare
        self._lock: int | None = None

    def open(self) -> tuple[F, Path | None]:
        """The open file, and the new path of a corrupt one or None. Locked until :meth:`release`.

        Raises the kind's own subclasses of these errors:

        :raises xbot.model.file_state.UnusableFile: when another process holds the lock.
        :raises xbot.model.file_state.FileUnavailable: when it cannot be opened now.
        """
        if self._lock is None:
            self._lock = take_lock(self._path)
        lost = None
        try:
            file = self._open_file(self._path)
        except BrokenFile as broken:
            lost = move_aside(self._path)
            self._log.critical(
                "the {file} {path} is broken ({reason}) and was moved to {lost}. {loss}",
                file=self._kind.name,
                path=str(self._path),
                reason=str(broken),
                lost=str(lost),
                loss=self._loss(),
            )
            file = self._open_file(self._path)
        self._prepare(file)
        return file, lost

    def writer(
        self,
        reactor: Any,
        in_thread: RunsInOrder | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> Writer[F]:
        """A writer of this file; without ``in_thread`` in a thread of its own."""
        in_thread = in_thread or OneThread(reactor, f"xbot {self._kind.name}")
        return Writer(
            self._kind, self._path, self.open, self.release, reactor, in_thread, wall_clock
        )

    def _loss(self) -> str:
        """What follows from the loss of a broken file, as a sentence."""
        return self._kind.loss

    def release(self) -> None:
        """Release the lock, so that another process can open the file."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)
