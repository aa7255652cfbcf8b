"""What can go wrong with a connection, by whose fault it is."""

from __future__ import annotations

import os
from typing import ClassVar

from twisted.internet.error import ConnectError

from xbot.model.errors import XbotError


class ConnectionProblem(XbotError):
    """Why a connection ended, or did not come about. Trying again later may help.

    ``kind`` is its name in statistics, if it has one of its own.
    """

    kind: ClassVar[str] = ""


class Ended(ConnectionProblem):
    """The stream was not ended by us: the server closed it, or the connection broke."""


class Cut(Ended):
    """The connection broke, or was closed in no proper way: by the network, mostly."""


class ProtocolViolation(ConnectionProblem):
    """The peer did not keep to XMPP, or is not who it says it is."""

    kind = "protocol"


class NegotiationTimeout(ConnectionProblem):
    """The login was not finished in time."""

    kind = "login-timeout"


class PingTimeout(ConnectionProblem):
    """The server no longer answers."""

    kind = "ping-timeout"


class LoginRefused(ConnectionProblem):
    """The server refused our credentials.

    ``condition`` is SASL's (RFC 6120, section 6.5); ``final`` tells whether
    only a person can help.
    """

    kind = "login-refused"

    def __init__(self, condition: str, *, final: bool) -> None:
        super().__init__(f"the server refuses the login: {condition}")
        self.condition = condition
        self.final = final


class StreamError(Ended):
    """The server closed the stream with an error (RFC 6120, section 4.9).

    ``detail`` is what the condition's element holds: of see-other-host, the host.
    """

    kind = "stream-error"

    def __init__(self, condition: str, text: str, detail: str = "") -> None:
        said = f" ({text})" if text else ""
        super().__init__(f"the server closed the stream: {condition}{said}")
        self.condition = condition
        self.text = text
        self.detail = detail


def in_words(error: BaseException | None) -> str:
    """Why there is no connection, for the operator: ``connection refused``."""
    if isinstance(error, ConnectError) and isinstance(error.osError, int):
        return os.strerror(error.osError).lower()
    return str(error).rstrip(".") or type(error).__name__
