"""Exceptions of xbot, each with its facts as attributes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from xbot.model.size_limit import Measure

#: Exit status when an operator must act: EX_CONFIG of sysexits.h.
EXIT_CONFIG = 78


class XbotError(Exception):
    """Base class of xbot's own exceptions."""


class InvalidJid(XbotError, ValueError):
    """A text is not a valid JID (RFC 7622); its author must correct it."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"{text!r} is no JID: {reason}")
        self.text = text
        self.reason = reason


def reason(error: Exception) -> str:
    """The text of ``error``, without the number and the path of an OSError."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


@frozen
class Problem:
    """One mistake in the ini: its place, and the reason.

    ``line`` counts from 1, and is 0 for a mistake without a line (a missing
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
    """The ini cannot be used. ``problems`` lists all mistakes, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class TooManyRooms(XbotError):
    """The bot is in the maximum number of rooms that the ini does not name; leave one first."""

    def __init__(self, most: int) -> None:
        super().__init__(f"I am in {most} rooms already, besides those of the ini")
        self.most = most


class NotConnected(XbotError):
    """Nothing can be sent now: no connection, or not in the room. Try again later."""

    def __init__(self, recipient: object, reason: str) -> None:
        super().__init__(f"cannot send to {recipient}: {reason}")
        self.recipient = recipient
        self.reason = reason


class EnoughUnderWay(NotConnected):
    """Back-pressure: nothing can be sent to any place before the server acknowledges more."""


class Unreachable(NotConnected):
    """Nothing can be sent to this room: the bot left it, or was refused for good.

    Waiting does not help. An operator can: by admitting the bot, or letting it join again.
    """


class TooLong(XbotError):
    """The text does not fit into one message; split it into parts that fit ``measure``."""

    def __init__(self, recipient: object, size: int, most: int, measure: Measure) -> None:
        super().__init__(f"{size} bytes to {recipient}: one message has {most} at most")
        self.recipient = recipient
        self.measure = measure


class Undeliverable(XbotError):
    """The message cannot be sent: each time it was sent, the server ended the stream."""

    def __init__(self, recipient: object) -> None:
        super().__init__(f"a message to {recipient} ends each stream")
        self.recipient = recipient
