"""What the journal says: its entries, its state, and why it cannot be used."""

from __future__ import annotations

import hashlib
from pathlib import Path

from attrs import frozen

from xbot.errors import XbotError
from xbot.message import Message

#: Of what was said, an entry keeps so many characters.
MAX_BODY = 1000

#: What came of a command that was under way when its process ended.
INTERRUPTED = "interrupted"

#: What came of a command that could not be journalled in time, and did not run.
REFUSED = "refused"


class JournalUnavailable(XbotError):
    """Nothing can be journalled now. The journal itself tries again; meanwhile refuse."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class UnusableJournal(XbotError):
    """Only a person can help: another bot uses the same state folder, or a later version did."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@frozen
class Entry:
    """One command that was accepted to run, and what came of it.

    ``message`` is what remains of it: no key, no payload but its type, and the
    beginning of its body. Times are seconds since 1970. ``outcome`` is None
    until there is one: a run's fate, or :data:`INTERRUPTED`.
    """

    number: int
    message: Message
    responder: str
    accepted: float
    ended: float | None = None
    outcome: str | None = None


@frozen
class JournalState:
    """Whether the journal works: ``problem`` is None or says why not, since ``since``.

    ``lost`` is where a broken journal was moved: what it knew is forgotten, so
    that a command from before, sent once more, would run once more.
    """

    problem: str | None
    since: float
    lost: Path | None = None

    def __str__(self) -> str:
        lost = f" (begun anew; the broken one is {self.lost})" if self.lost else ""
        return (self.problem or "ok") + lost


def digest(key: str) -> bytes:
    """A key in the form in which it is kept: strangers choose keys, of any length."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def kept(message: Message) -> Message:
    """What an entry keeps of ``message``."""
    payload = {"type": message.payload["type"]} if "type" in message.payload else {}
    body = message.body[:MAX_BODY]
    return Message(
        message.sender,
        message.recipient,
        # Half a surrogate pair is no text that a file could hold.
        body.encode("utf-8", "replace").decode(),
        payload,
        room=message.room,
        nick=message.nick,
        identity=message.identity,
    )
