"""Why something cannot be remembered."""

from __future__ import annotations

from xbot.model.errors import XbotError
from xbot.model.file_state import FileUnavailable, UnusableFile


class BrainFull(XbotError):
    """There is no room for one more. Forget something, or use a time to live."""

    def __init__(self, namespace: str, key: str, reason: str) -> None:
        super().__init__(f"{namespace} cannot remember {_short(key)}: {reason}")
        self.namespace = namespace
        self.key = key
        self.reason = reason


class BrainNotOpen(XbotError):
    """It is read when the bot starts and closed when it stops. Use it in between: in a run."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"nothing can be remembered: {reason}")
        self.reason = reason


class BrainUnavailable(FileUnavailable):
    """What is remembered cannot be saved now. It is in memory, and the brain tries again."""


class UnusableBrain(UnusableFile):
    """Only a person can help: another bot uses the same state folder, or a later version did."""


def _short(key: str) -> str:
    return repr(key if len(key) <= 40 else key[:40] + "...")
