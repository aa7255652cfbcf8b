"""Exclusive ownership of a durable file: a lock file, and recovery from a corrupt database."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from xbot.state.sqlite.file import BrokenFile, DurableFile, Kind, move_aside, take_lock

F = TypeVar("F", bound=DurableFile)


class OwnedFile(Generic[F]):
    """Opens ``path`` with ``open_file`` under an exclusive lock. Blocking: call it in a thread.

    A corrupt file is moved aside and replaced by an empty one;
    ``got_broken(reason, lost)`` is then called with the new path of the corrupt one.
    """

    def __init__(
        self,
        kind: Kind,
        path: Path,
        open_file: Callable[[Path], F],
        got_broken: Callable[[str, Path], object],
    ) -> None:
        self._kind = kind
        self._path = path
        self._open_file = open_file
        self._got_broken = got_broken
        self._lock: int | None = None

    def open(self) -> tuple[F, Path | None]:
        """The open file, and the new path of a corrupt one or None. Locked until :meth:`release`.

        Raises the kind's own subclasses of these errors:

        :raises xbot.model.file_state.UnusableFile: when another process holds the lock.
        :raises xbot.model.file_state.FileUnavailable: when it cannot be opened now.
        """
        if self._lock is None:
            self._lock = take_lock(self._kind, self._path)
        try:
            return self._open_file(self._path), None
        except BrokenFile as broken:
            lost = move_aside(self._kind, self._path)
            self._got_broken(str(broken), lost)
            return self._open_file(self._path), lost

    def release(self) -> None:
        """Release the lock, so that another process can open the file."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)
