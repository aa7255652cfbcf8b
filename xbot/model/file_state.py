"""Whether a file of the state folder works, and the errors that say why it does not."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from xbot.model.errors import XbotError


class FileUnavailable(XbotError):
    """The file cannot be read or written now. Its owner tries again by itself."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class UnusableFile(XbotError):
    """Only a person can help: another bot uses the same state folder, or a later version did."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@frozen
class FileState:
    """Whether a file works: ``problem`` is None or says why not, since ``since``.

    ``lost`` is where a broken one was moved: what it held is not known any more.
    """

    problem: str | None
    since: float
    lost: Path | None = None

    def __str__(self) -> str:
        lost = f" (begun anew; the broken one is {self.lost})" if self.lost else ""
        return (self.problem or "ok") + lost
