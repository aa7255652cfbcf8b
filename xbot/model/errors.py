"""The errors that xbot raises by name, each with its facts as attributes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from xbot.model.size_limit import Measure

#: What the process exits with when only a person can help: EX_CONFIG of sysexits.h.
EXIT_CONFIG = 78


class XbotError(Exception):
    """What every error of xbot's own is."""


class InvalidJid(XbotError, ValueError):
    """A text that is no JID (RFC 7622). Whoever wrote it must correct it."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"{text!r} is no JID: {reason}")
        self.text = text
        self.reason = reason


def reason(error: Exception) -> str:
    """What went wrong, without the number and the path of an OSError."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


@frozen
class Problem:
    """One mistake in the ini: where it is, and what is wrong.

    ``line`` counts from 1 and is 0 where no single line is to blame (a missing
    section); ``section`` and ``option`` are empty where they do not apply.
    """

    path: Path
    line: int
    section: str
    option: str
    reason: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else str(self.path)
        what = [f"[{self.section}]"] if self.section else []
        what += [self.option] if self.option else []
        return ": ".join([where, " ".join(what), self.reason] if what else [where, self.reason])


class InvalidConfig(XbotError):
    """The ini cannot be used. ``problems`` holds every mistake found, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class TooManyRooms(XbotError):
    """The bot is in as many rooms as it may be besides those of the ini; have it leave one."""

    def __init__(self, most: int) -> None:
        super().__init__(f"I am in {most} rooms already, besides those of the ini")
        self.most = most


class NotConnected(XbotError):
    """Nothing can be sent now: the link, or the room, is not there. Try again later."""

    def __init__(self, recipient: object, reason: str) -> None:
        super().__init__(f"cannot send to {recipient}: {reason}")
        self.recipient = recipient
        self.reason = reason


class Unreachable(NotConnected):
    """Nothing can be said there as things stand: we left the room, or it refused us for good.

    To wait does not help. A person can: by letting us in, or by having us enter it again.
    """


class TooLong(XbotError):
    """What is to be said does not fit into one message; in pieces of ``measure`` it does."""

    def __init__(self, recipient: object, size: int, most: int, measure: Measure) -> None:
        super().__init__(f"{size} bytes to {recipient}: one message has {most} at most")
        self.recipient = recipient
        self.measure = measure


class Undeliverable(XbotError):
    """This can never be said: each time that it was, the server ended the stream."""

    def __init__(self, recipient: object) -> None:
        super().__init__(f"what is to be said to {recipient} ends each stream")
        self.recipient = recipient
