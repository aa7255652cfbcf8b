"""Connection errors: why a connection ended or could not be made."""

from __future__ import annotations

import os
from typing import ClassVar

from twisted.internet.error import ConnectError

from xbot.model.errors import XbotError


class ConnectionProblem(XbotError):
    """Base class: why a connection ended or could not be made. A retry may help.

    ``kind`` is its name in statistics; empty if it has none of its own.
    """

    kind: ClassVar[str] = ""


class Ended(ConnectionProblem):
    """The server closed the stream, or the connection broke; we did not end it."""


class Cut(Ended):
    """The connection broke without a proper close, mostly because of the network."""


class ProtocolViolation(ConnectionProblem):
    """The peer violated the protocol, or is not the server of our domain."""

    kind = "protocol"


class NegotiationTimeout(ConnectionProblem):
    """Time-out of the login."""

    kind = "login-timeout"


class PingTimeout(ConnectionProblem):
    """The server did not answer a ping in time."""

    kind = "ping-timeout"


class LoginRefused(ConnectionProblem):
    """The server refused our credentials.

    ``condition`` is the SASL error (RFC 6120, section 6.5). ``final`` means that a
    retry cannot help; the operator must act.
    """

    kind = "login-refused"

    def __init__(self, condition: str, *, final: bool) -> None:
        super().__init__(f"the server refuses the login: {condition}")
        self.condition = condition
        self.final = final


class StreamError(Ended):
    """The server closed the stream with an error (RFC 6120, section 4.9).

    ``detail`` is the text of the condition's element: for see-other-host, the host.
    """

    kind = "stream-error"

    def __init__(self, condition: str, text: str, detail: str = "") -> None:
        said = f" ({text})" if text else ""
        super().__init__(f"the server closed the stream: {condition}{said}")
        self.condition = condition
        self.text = text
        self.detail = detail


def in_words(error: BaseException | None) -> str:
    """The error as text for the operator, such as ``connection refused``."""
    if isinstance(error, ConnectError) and isinstance(error.osError, int):
        return os.strerror(error.osError).lower()
    return str(error).rstrip(".") or type(error).__name__
