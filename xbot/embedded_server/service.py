"""``server = embedded``: run the embedded server in the bot's process."""

from __future__ import annotations

import secrets
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.logger import Logger
from zope.interface import implementer

from xbot.config.settings import Config, Secret
from xbot.embedded_server import EmbeddedServer

HOST = "127.0.0.1"

#: Accounts with which every user of this machine can log in, and their passwords. There are
#: two, so that one person can try an approval by another.
GUESTS = {"guest": "guest", "bob": "bob"}


@implementer(IStreamClientEndpoint)
class Embedded:
    """The embedded server of a ``config``, with the bot's account and the guests'.

    It is also the bot's endpoint to it. ``port`` is the listening port once
    :meth:`start` has fired.
    """

    _log = Logger("xbot.embedded_server")

    def __init__(self, config: Config, reactor: Any) -> None:
        self._reactor = reactor
        jid = config.xmpp.jid
        assert jid.local
        self.password = Secret(secrets.token_urlsafe())
        self.port = config.xmpp.port
        self.server = EmbeddedServer(
            reactor,
            {**GUESTS, jid.local: self.password.reveal()},
            domain=jid.domain,
            rooms_domain=_rooms_domain(config),
        )
        self._rooms = [str(room.jid) for room in config.rooms]
        self._local, self._domain = jid.local, jid.domain

    @property
    def authorities(self) -> bytes:
        """The CA certificate that a client must trust, as PEM."""
        return self.server.certificate_pem

    async def start(self) -> None:
        """Listen on the configured port, or on any free port when that is in use."""
        try:
            self.port = await self.server.listen(self.port, HOST)
        except CannotListenError:
            wanted = self.port
            self.port = await self.server.listen(0, HOST)
            self._log.warn(
                "port {wanted} is in use; the embedded server listens on {port} instead",
                wanted=wanted,
                port=self.port,
            )
        self._log.info(
            "the embedded server listens on {host}, port {port}, for this machine alone: log in"
            " with any XMPP client as {guests}, accept its certificate, and join {rooms}",
            host=HOST,
            port=self.port,
            guests=" or ".join(
                f"{name}@{self._domain} (password {password})"
                for name, password in GUESTS.items()
                if name != self._local
            ),
            rooms=", ".join(self._rooms) or "a room",
        )

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect the bot (:class:`~twisted.internet.interfaces.IStreamClientEndpoint`)."""
        return TCP4ClientEndpoint(self._reactor, HOST, self.port).connect(factory)

    def stop(self) -> Deferred[None]:
        """Close every connection and stop listening."""
        return self.server.stop()


def _rooms_domain(config: Config) -> str | None:
    """The domain of the configured rooms, for the MUC service; None for its default."""
    domains = (room.jid.domain for room in config.rooms)
    return next((domain for domain in domains if domain != config.xmpp.jid.domain), None)
