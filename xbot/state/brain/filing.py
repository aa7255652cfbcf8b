"""Synchronise the brain's contents with its file: load, save, and rewrite a replaced file.

Blocking: call it in the brain's one thread.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from xbot.model.file_state import FileUnavailable
from xbot.state.brain.contents import Contents, Place
from xbot.state.brain.file import KIND, BrainFile, Content, Stamp, read_content
from xbot.state.brain.lasting import Clocks, elapsed
from xbot.state.sqlite.owned import OwnedFile


class FileSync(OwnedFile[BrainFile]):
    """Opens the file at ``path``, loads it into ``contents``, and saves their changes.

    ``under_way`` returns the places whose save is in progress: in memory they are
    newer than in any file.
    """

    _log = Logger()

    def __init__(
        self,
        path: Path,
        contents: Contents,
        clocks: Clocks,
        open_file: Callable[[Path], BrainFile],
        under_way: Callable[[], Iterable[Place]],
    ) -> None:
        super().__init__(KIND, path, open_file)
        #: The stamp we last saw in the file; another one there means that the file was
        #: replaced. None until it was read.
        self.stamp: Stamp | None = None
        #: Whether :meth:`open` is saving changes; ``contents`` do not count them as unsaved.
        self.is_catching_up = False
        self._contents = contents
        self._clocks = clocks
        self._under_way = under_way
        self._is_read = False

    def store(self, places: Iterable[Place], file: BrainFile) -> Stamp:
        rows, gone = self._contents.rows(places)
        return file.write(rows, gone, Stamp(self._contents.now(), self._clocks.read()))

    def open(self) -> tuple[BrainFile, Path | None]:
        """Open and load the file; return it, and the new path of a corrupt one or None."""
        try:
            return self._open_to_write()
        except FileUnavailable:
            if not self._is_read:
                self._only_read()
            raise

    def _open_to_write(self) -> tuple[BrainFile, Path | None]:
        file, lost = super().open()
        content = _last_result(file.commit([BrainFile.content]))
        if not self._is_read:
            self._adopt(content)
        self.stamp = self._catch_up(file, content.stamp != self.stamp)
        return file, lost

    def _catch_up(self, file: BrainFile, is_other: bool) -> Stamp:
        """Save all unsaved changes; rewrite the whole file if it is another one (new, restored).

        This is part of opening: a file only counts as working once all changes fit on
        the disk, not just a small test write.
        """
        with self._contents.lock:
            unsaved = self._contents.take_unsaved(sys.maxsize)
            self.is_catching_up = True
        places = self._contents.all_places() if is_other else unsaved
        actions = [BrainFile.clear] if is_other else []
        saved: dict[Place, int] = {}
        try:
            stamp: Stamp = _last_result(file.commit([*actions, partial(self.store, places)]))
            saved = unsaved
        finally:
            with self._contents.lock:
                self.is_catching_up = False
                if not saved:
                    self._contents.give_back(unsaved)
        return stamp

    def _only_read(self) -> None:
        """Load the file although it cannot be written, if it can at least be read."""
        try:
            self._adopt(read_content(self._path))
        except FileUnavailable:
            self._log.error(
                "the brain {path} cannot be read; responders start without what they remembered,"
                " until it can",
                path=str(self._path),
            )

    def _adopt(self, content: Content) -> None:
        stamp = content.stamp
        now = self._contents.now()
        if stamp is not None:
            now = stamp.now + elapsed(stamp.moment, self._clocks.read())
        unreadable = content.unreadable
        unreadable += self._contents.adopt(content.rows, now, but=self._under_way())
        if unreadable:
            self._log.error(
                "{count} values in the brain {path} are invalid: ignored, and left in the file",
                count=unreadable,
                path=str(self._path),
            )
        self.stamp = stamp
        self._is_read = True

    def _loss(self) -> str:
        return "What is in memory is saved again" if self._is_read else super()._loss()


def _last_result(results: list[Any]) -> Any:
    for result in results:
        if isinstance(result, Failure):
            result.raiseException()
    return results[-1]
