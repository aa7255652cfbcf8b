"""What the journal says: its entries, and why it cannot be used."""

from __future__ import annotations

import hashlib

from attrs import frozen

from xbot.model.file_state import FileUnavailable, UnusableFile
from xbot.model.message import Message

#: Of what was said, an entry keeps so many characters.
MAX_BODY = 1000

#: What came of a command that was under way when its process ended.
INTERRUPTED = "interrupted"

#: Of a command about which people are asked before it runs.
WAITING = "waiting"

#: What came of one that still waited when its process ended. It did not run.
LAPSED = "lapsed"

#: What came of a command that could not be journalled in time, and did not run.
REFUSED = "refused"


#: What came of a command that was said while the bot was away.
MISSED = "missed"

#: What an entry of somebody who approved another's command says.
APPROVED = "approved"


class JournalUnavailable(FileUnavailable):
    """Nothing can be journalled now. The journal itself tries again; meanwhile refuse."""


class UnusableJournal(UnusableFile):
    """Only a person can help: another bot uses the same state folder, or a later version did."""


@frozen
class Entry:
    """One command that was accepted to run, and what came of it.

    ``message`` is what remains of it: no key, no payload but its type, and the
    beginning of its body. Times are seconds since 1970. ``outcome`` is None
    until there is one: a run's fate, or :data:`INTERRUPTED`; before it runs
    it may be :data:`WAITING`.
    """

    number: int
    message: Message
    responder: str
    accepted: float
    ended: float | None = None
    outcome: str | None = None


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
