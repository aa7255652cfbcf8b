"""What is said over the socket: one line of JSON each way. Pure."""

from __future__ import annotations

import json
from enum import Enum

from attrs import frozen

from xbot.model.errors import InvalidJid, XbotError
from xbot.model.jid import Jid

#: The socket's name in the state folder.
SOCKET_NAME = "say.sock"

#: Nothing longer is said, in characters: what a responder may say at once.
MAX_TEXT = 10_000

#: No line is longer, in bytes: each character can be an escape of twelve.
MAX_LINE = 12 * MAX_TEXT + 8192

#: The longest wait for an acknowledgement, in seconds.
MAX_TIMEOUT = 3600.0


class Result(Enum):
    """What came of it."""

    DELIVERED = "delivered"
    QUEUED = "queued"
    REFUSED = "refused"
    LOST = "lost"
    READY = "ready"
    NOT_READY = "not ready"


#: The other thing that can be asked: how the bot is.
STATUS_LINE = b'{"ask": "status"}\n'


class BadRequest(XbotError, ValueError):
    """A line that asks for nothing that can be said. Whoever wrote it must correct it."""


@frozen
class Request:
    """``text`` is to be said in ``room``; whether it was is waited for so many seconds.

    ``until`` is the machine's uptime (:func:`xbot.process.uptime.uptime`) up to which it may be
    taken, if that is told: later, whoever asks is gone before the answer, and believes
    that it was not said.
    """

    room: Jid
    text: str
    timeout: float
    until: float | None = None

    def line(self) -> bytes:
        """As it is sent."""
        asked = {
            "room": str(self.room),
            "text": self.text,
            "timeout": self.timeout,
            "until": self.until,
        }
        return json.dumps(asked).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Request:
        """What ``line`` asks for; :class:`BadRequest` with what is wrong."""
        try:
            asked = json.loads(line)
        except (ValueError, RecursionError):
            raise BadRequest("this is no JSON") from None
        if not isinstance(asked, dict):
            raise BadRequest("this is no JSON object")
        return cls.of(*map(asked.get, ("room", "text", "timeout", "until")))

    @classmethod
    def of(cls, room: object, text: object, timeout: object, until: object = None) -> Request:
        """The request with these parts; :class:`BadRequest` with what is wrong."""
        if not isinstance(room, str):
            raise BadRequest("the room is missing")
        try:
            jid = Jid.parse(room)
        except InvalidJid as invalid:
            raise BadRequest(str(invalid)) from None
        if jid.local is None or jid.resource:
            raise BadRequest(f"{room!r} is no room: a room's JID is ROOM@SERVICE")
        if not isinstance(text, str) or not text.strip():
            raise BadRequest("there is nothing to say")
        if len(text) > MAX_TEXT:
            raise BadRequest(f"that is too long: more than {MAX_TEXT} characters")
        # A bool is an int, too.
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
            raise BadRequest("the timeout is no number")
        if not 0 <= timeout <= MAX_TIMEOUT:
            raise BadRequest(f"the timeout is not between 0 and {MAX_TIMEOUT:g} s")
        if isinstance(until, bool) or not isinstance(until, int | float | None):
            raise BadRequest("the time of giving up is no number")
        return cls(jid, text, float(timeout), until)


@frozen
class Reply:
    """What came of a request, and why in words."""

    result: Result
    reason: str = ""

    def line(self) -> bytes:
        """As it is sent."""
        return json.dumps({"result": self.result.value, "reason": self.reason}).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Reply:
        """What ``line`` tells; ValueError when it is none."""
        told = json.loads(line)
        return cls(Result(told["result"]), str(told["reason"]))
