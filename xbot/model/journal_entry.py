"""Journal entry: one command that was accepted to run, its outcome words, the journal's errors."""

from __future__ import annotations

import hashlib

from attrs import frozen

from xbot.model.message import Message

#: Maximum length of the message body in an entry, in characters.
MAX_BODY = 1000

#: Outcome: the process ended while the command ran.
INTERRUPTED = "interrupted"

#: Outcome so far: the command waits for confirmation or approval before it runs.
WAITING = "waiting"

#: Outcome: the process ended while the command was :data:`WAITING`. It did not run.
LAPSED = "lapsed"

#: Outcome: the command could not be journalled in time, and did not run.
REFUSED = "refused"


#: Outcome: the command was sent while the bot was offline.
MISSED = "missed"

#: Outcome: the command ran, and its answers arrived.
ANSWERED = "answered"

#: Outcome: the command ran, and an answer did not arrive. Added to outcomes other than
#: :data:`ANSWERED` (``failed, unsaid``). It may replace an earlier outcome, because an answer
#: can come back after it was acknowledged.
UNSAID = "unsaid"

#: Added to an outcome (``answered, cut``): the command said more than is shown.
CUT = "cut"

#: Outcome of an entry that records an approval of another person's command.
APPROVED = "approved"


@frozen
class Entry:
    """One command that was accepted to run, and its outcome.

    ``message`` is reduced by :func:`kept`: no key, of the payload only the type, and the
    beginning of the body. Times are seconds since 1970. ``outcome`` is None while the
    command runs and until its answers arrived, :data:`WAITING` before it may run, and then the
    run's outcome or :data:`INTERRUPTED`.
    """

    number: int
    message: Message
    responder: str
    accepted: float
    ended: float | None = None
    outcome: str | None = None


def is_unsaid(outcome: str) -> bool:
    """Whether this outcome says that an answer did not arrive."""
    return UNSAID in outcome.split(", ")


def digest(key: str) -> bytes:
    """SHA-256 of a message key, as the journal stores it. Strangers choose keys, of any length."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def kept(message: Message) -> Message:
    """``message`` reduced to what an entry stores."""
    payload = {"type": message.payload["type"]} if "type" in message.payload else {}
    body = message.body[:MAX_BODY]
    return Message(
        message.sender,
        message.recipient,
        # SQLite cannot store a lone surrogate.
        body.encode("utf-8", "replace").decode(),
        payload,
        room=message.room,
        nick=message.nick,
        identity=message.identity,
    )
