"""Control socket protocol: one line of JSON in each direction. Pure."""

from __future__ import annotations

import json
from enum import Enum

from attrs import frozen

from xbot.model.errors import InvalidJid, XbotError
from xbot.model.jid import Jid

#: The socket's name in the state folder.
SOCKET_NAME = "say.sock"

#: Maximum length of a text, in characters: the same limit as for a responder's answer.
MAX_TEXT = 10_000

#: Maximum length of a line, in bytes: JSON may escape a character as twelve bytes.
MAX_LINE = 12 * MAX_TEXT + 8192

#: Maximum wait for the server's acknowledgement, in seconds.
MAX_TIMEOUT = 3600.0


#: What can be asked without a text.
QUESTIONS = ("status", "reload")


class Result(Enum):
    """Result of a request."""

    DELIVERED = "delivered"
    QUEUED = "queued"
    REFUSED = "refused"
    LOST = "lost"
    DONE = "done"
    READY = "ready"
    NOT_READY = "not ready"


class BadRequest(XbotError, ValueError):
    """An invalid request; the message says why. The sender must correct it."""


@frozen
class Question:
    """A request without a text: ``ask`` is ``status`` or ``reload``. ``account``: see Request."""

    ask: str
    account: str | None = None

    def line(self) -> bytes:
        """The request as a line of JSON."""
        return json.dumps({"ask": self.ask, "account": self.account}).encode() + b"\n"


@frozen
class Request:
    """A request to send ``text`` to a room or person, and wait for its receipt.

    The wait is up to ``timeout`` seconds. ``account`` is the bare JID of the bot that is
    meant: another bot refuses. None: any bot.

    ``until`` is a deadline for accepting the request, as the machine's uptime
    (:func:`xbot.process.uptime.uptime`): after it the client has gone, and has reported
    that the text was not sent. None: no deadline.
    """

    to: Jid
    text: str
    timeout: float
    until: float | None = None
    account: str | None = None

    def line(self) -> bytes:
        """The request as a line of JSON."""
        asked = {
            "to": str(self.to),
            "text": self.text,
            "timeout": self.timeout,
            "until": self.until,
            "account": self.account,
        }
        return json.dumps(asked).encode() + b"\n"

    @classmethod
    def of(
        cls,
        to: object,
        text: object,
        timeout: object,
        until: object = None,
        account: object = None,
    ) -> Request:
        """Make a request from unchecked parts, or raise :class:`BadRequest`."""
        if not isinstance(to, str):
            raise BadRequest("the recipient is missing")
        try:
            jid = Jid.parse(to)
        except InvalidJid as invalid:
            raise BadRequest(str(invalid)) from None
        if jid.local is None or jid.resource:
            raise BadRequest(f"{to!r} is neither a room (ROOM@SERVICE) nor a person (NAME@DOMAIN)")
        if not isinstance(text, str) or not text.strip():
            raise BadRequest("there is nothing to say")
        if len(text) > MAX_TEXT:
            raise BadRequest(f"that is too long: more than {MAX_TEXT} characters")
        # bool is a subclass of int.
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
            raise BadRequest("the timeout is no number")
        if not 0 <= timeout <= MAX_TIMEOUT:
            raise BadRequest(f"the timeout is not between 0 and {MAX_TIMEOUT:g} s")
        if isinstance(until, bool) or not isinstance(until, int | float | None):
            raise BadRequest("the deadline (until) is no number")
        return cls(jid, text, float(timeout), until, _account(account))


def parse(line: bytes) -> Request | Question:
    """Parse the line of a request, or raise :class:`BadRequest`."""
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRequest("this is no JSON") from None
    if not isinstance(asked, dict):
        raise BadRequest("this is no JSON object")
    if (ask := asked.get("ask")) is not None:
        if ask not in QUESTIONS:
            raise BadRequest(f"it can be asked for {' or '.join(QUESTIONS)}")
        return Question(ask, _account(asked.get("account")))
    return Request.of(*map(asked.get, ("to", "text", "timeout", "until", "account")))


def _account(account: object) -> str | None:
    if account is None or isinstance(account, str):
        return account
    raise BadRequest("the account is no text")


@frozen
class Reply:
    """The result of a request, and the reason in words."""

    result: Result
    reason: str = ""

    def line(self) -> bytes:
        """The reply as a line of JSON."""
        return json.dumps({"result": self.result.value, "reason": self.reason}).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Reply:
        """Parse ``line``, or raise ValueError, KeyError or TypeError."""
        told = json.loads(line)
        return cls(Result(told["result"]), str(told["reason"]))
