"""Health of a state file (journal, brain), and the errors for one that does not work."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from xbot.model.errors import XbotError


class FileUnavailable(XbotError):
    """The file cannot be read or written now. Temporary: its owner retries by itself."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class UnusableFile(XbotError):
    """The file cannot be used, and retrying does not help; the operator has to act.

    Another bot uses the same state folder, or a later version of xbot wrote the file.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@frozen
class FileState:
    """Health of one file: ``problem`` is None while it works, else the reason.

    ``since`` is when that began, in seconds since 1970. ``lost`` is where a corrupt
    file was moved, or None; its contents are not used any more.
    """

    problem: str | None
    since: float
    lost: Path | None = None

    def __str__(self) -> str:
        lost = f" (begun anew; the broken one is {self.lost})" if self.lost else ""
        return (self.problem or "ok") + lost
