"""A file that is this process's own while it is open, and begun anew where it is broken."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from xbot.state.sqlite.file import BrokenFile, DurableFile, Kind, move_aside, take_lock

F = TypeVar("F", bound=DurableFile)


class OwnedFile(Generic[F]):
    """The file at ``path``, opened by ``open_file``, with its lock. Blocking: for its one thread.

    ``got_broken(reason, lost)`` is told of a broken one, and where it was moved.
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
        """The file, and where a broken one went. The lock stays until :meth:`release`.

        :raises xbot.model.file_state.UnusableFile: of its kind, when another process has it.
        :raises xbot.model.file_state.FileUnavailable: of its kind, when it cannot be opened now.
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
        """Let another process have it."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)
