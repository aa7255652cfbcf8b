"""Embedded XMPP server on the loopback interface, usable by real clients.

For tests, ``xbot demo`` and ``[xmpp] server = embedded``: login over STARTTLS, direct
messages between its accounts, and rooms. All state is in memory and bounded; it has
only the options that tests need::

    server = EmbeddedServer(reactor, {"bot": "secret", "alice": "wonder"})
    port = await server.listen()
    server.write_ca(path)                  # what a client must trust
    room = server.room("lounge")           # lounge@conference.localhost
    room.say("alice", "old news", ago=60)  # history
    ...
    await server.stop()

A hermetic test needs no port: ``server.factory.buildProtocol(None)`` returns the
server's end of a connection for any in-memory transport.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import Deferred, DeferredList
from twisted.words.protocols.jabber.xmlstream import XmlStreamServerFactory

from xbot.config.settings import SASL_MECHANISMS
from xbot.embedded_server import markup
from xbot.embedded_server.certificate import Certificate
from xbot.embedded_server.credentials import Account
from xbot.embedded_server.login import Login
from xbot.embedded_server.markup import Element, StanzaError
from xbot.embedded_server.muc import ConferenceService
from xbot.embedded_server.requests import answer_iq, check_iq
from xbot.embedded_server.rooms import Room
from xbot.embedded_server.sessions import Session, Sessions
from xbot.embedded_server.stream import CLOSE_GRACE, ServerStream
from xbot.model.errors import InvalidJid
from xbot.model.jid import Jid

#: Maximum number of open connections.
MAX_CONNECTIONS = 1000

#: SASL mechanisms offered by default, best first.
MECHANISMS = tuple(name for name in SASL_MECHANISMS if name != "EXTERNAL")


class EmbeddedServer:
    """An XMPP server for one domain, with ``accounts`` (local part to password) and rooms.

    ``reactor`` listens and is the clock; without :meth:`listen` a
    :class:`~twisted.internet.task.Clock` is enough. ``certificate`` is made when not
    given. With ``starttls`` False logins are not encrypted, and PLAIN is not offered.

    ``rooms`` and ``sessions`` map JIDs (bare and full, as text) to the present rooms and
    sessions. ``on_stanza(session, stanza)``, when set, is called first for every stanza;
    if it returns True, the server ignores the stanza.
    """

    def __init__(
        self,
        reactor: Any,
        accounts: Mapping[str, str],
        domain: str = "localhost",
        rooms_domain: str | None = None,
        certificate: Certificate | None = None,
        mechanisms: Sequence[str] = MECHANISMS,
        starttls: bool = True,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        unknown = set(mechanisms) - set(MECHANISMS)
        if unknown:
            raise ValueError(f"the embedded server has no SASL mechanism {sorted(unknown)}")
        self.clock = reactor
        self.domain = Jid.parse(domain).domain
        self.mechanisms = tuple(mechanisms)
        self.starttls = starttls
        self.certificate = certificate or Certificate.make(self.domain)
        self.on_stanza: Callable[[Session, Element], bool | None] | None = None
        self._random = random
        self._port: Any = None
        self._accounts: dict[str, Account] = {}
        for local, password in accounts.items():
            self.add_account(local, password)
        self._streams: set[ServerStream] = set()
        self._stopping = False
        self._sessions = Sessions(self.domain, self._accounts.__contains__, reactor.seconds)
        self._conference = ConferenceService(
            Jid.parse(rooms_domain or f"conference.{self.domain}").domain,
            reactor.seconds,
            self.make_token,
        )
        self.factory = _Factory(self)

    # -- public interface

    @property
    def rooms(self) -> dict[str, Room]:
        """The existing rooms, by bare JID."""
        return self._conference.rooms

    @property
    def sessions(self) -> dict[str, Session]:
        """The bound sessions, by full JID."""
        return self._sessions.by_jid

    @property
    def certificate_pem(self) -> bytes:
        """The CA certificate that clients must trust."""
        return self.certificate.pem

    def write_ca(self, path: Path | str) -> None:
        """Write :attr:`certificate_pem` to a file."""
        Path(path).write_bytes(self.certificate_pem)

    def listen(self, port: int = 0, host: str = "127.0.0.1") -> Deferred[int]:
        """Listen for connections; fires with the port number. ``port`` 0 chooses a free one.

        Fails with ValueError for any ``host`` that is not a loopback address
        (127.0.0.0/8, ::1, or the name localhost): the server trusts every client that
        can reach it.
        """
        return defer.execute(self._listen, port, host)

    def stop(self) -> Deferred[None]:
        """Stop listening, close all connections, and leave nothing in the reactor.

        Idempotent, and may be called at any time. The server can :meth:`listen` again
        afterwards; rooms and offline messages are kept.
        """
        return Deferred.fromCoroutine(self._stop())

    def room(self, name: str) -> Room:
        """The room with this local part or bare JID; created if missing."""
        return self._conference.room(name)

    def add_account(self, local: str, password: str) -> None:
        """Add an account, or change its password."""
        prepared = Jid.parse(f"{local}@{self.domain}").local
        assert prepared is not None
        self._accounts[prepared] = Account(prepared, password, self._random(16))

    # -- for the login (see login.Host)

    def tls_options(self) -> Any:
        return self.certificate.options()

    def find_account(self, name: str) -> Account | None:
        try:
            return self._accounts.get(Jid.parse(f"{name}@{self.domain}").local or "")
        except InvalidJid:
            return None

    def make_token(self) -> str:
        """A random text that cannot be guessed."""
        return self._random(12).hex()

    def got_login(self, stream: ServerStream, account: Account, resource: str) -> Session:
        """Bind the requested resource; a random one if it is empty or in use (RFC 6120 7.7)."""
        bare = Jid(account.local, self.domain)
        jid = bare.with_resource(resource or self.make_token())
        if str(jid) in self.sessions:
            jid = bare.with_resource(self.make_token())
        session = Session(jid, stream, got_stanza=self._got_stanza, ended=self._got_end)
        self.sessions[str(jid)] = session
        return session

    # -- connections

    def accept(self, stream: ServerStream | None = None) -> bool:
        """Whether a new connection is accepted; with ``stream``, also count it."""
        if self._stopping or len(self._streams) >= MAX_CONNECTIONS:
            return False
        if stream is not None:
            self._streams.add(stream)
            stream.gone.addCallback(lambda _: self._streams.discard(stream))
        return True

    def _listen(self, port: int, host: str) -> int:
        address = _loopback_address(host)
        if self._port is not None:
            raise ValueError(f"the embedded server listens already, on port {self._port_number()}")
        self._port = self.clock.listenTCP(port, self.factory, interface=address)
        return self._port_number()

    def _port_number(self) -> int:
        number: int = self._port.getHost().port
        return number

    async def _stop(self) -> None:
        self._stopping = True
        try:
            port, self._port = self._port, None
            if port is not None:
                await defer.maybeDeferred(port.stopListening)
            streams = list(self._streams)
            for stream in streams:
                stream.close("system-shutdown")
            # Streams abort after CLOSE_GRACE, but an in-memory transport may never report
            # the loss: hence the time-out.
            gone = DeferredList([stream.gone for stream in streams], consumeErrors=True)
            await gone.addTimeout(2 * CLOSE_GRACE, self.clock, onTimeoutCancel=lambda *_: None)
            self._streams.difference_update(streams)
        finally:
            self._stopping = False

    def _got_end(self, session: Session) -> None:
        self.sessions.pop(str(session.jid), None)
        self._conference.ended(session)
        if session.presence is not None:
            gone = markup.stanza("presence", type="unavailable", from_=str(session.jid))
            self._sessions.got_presence(session, gone)

    # -- stanzas

    def _got_stanza(self, session: Session, stanza: Element) -> None:
        if self.on_stanza is not None and self.on_stanza(session, stanza):
            return
        text = stanza.getAttribute("to")
        try:
            to = session.jid.bare if text is None else Jid.parse(text)
        except InvalidJid as error:
            raise StanzaError("jid-malformed") from error
        if stanza.name == "iq":
            check_iq(stanza)
        if stanza.name == "presence" and text is None:
            self._got_presence(session, stanza)
        elif to.domain == self._conference.domain:
            self._conference.got_stanza(session, to, stanza)
        elif to.domain != self.domain:
            raise StanzaError("remote-server-not-found")
        elif stanza.name == "iq" and to in (session.jid.bare, Jid(None, self.domain)):
            answer_iq(session, to, stanza, self._conference.domain)
        elif to.local is not None:
            self._sessions.deliver(to, _subscription_from_bare(session, stanza))
        elif stanza.name != "presence":
            raise StanzaError("service-unavailable")

    def _got_presence(self, session: Session, presence: Element) -> None:
        if presence.getAttribute("type") == "unavailable":
            # RFC 6121 4.6.3: unavailable presence goes to rooms, too (directed presence).
            self._conference.ended(session)
        self._sessions.got_presence(session, presence)


class _Factory(XmlStreamServerFactory):
    """Factory of the server's streams."""

    protocol = ServerStream
    noisy = False

    def __init__(self, server: EmbeddedServer) -> None:
        super().__init__(lambda: Login(server))
        self._server = server

    def buildProtocol(self, addr: Any) -> ServerStream | None:
        if not self._server.accept():
            return None
        stream: ServerStream = super().buildProtocol(addr)
        self._server.accept(stream)
        return stream


def _loopback_address(host: str) -> str:
    """The loopback address to listen on; raises ValueError for any other address."""
    if host == "localhost":
        return "127.0.0.1"
    refusal = f"the embedded server listens on a loopback address only, not on {host!r}"
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise ValueError(refusal) from error
    if not address.is_loopback:
        raise ValueError(refusal)
    return str(address)


def _subscription_from_bare(session: Session, stanza: Element) -> Element:
    """Set ``from`` of a subscription stanza to the bare JID (RFC 6121 3.1.2)."""
    kinds = ("subscribe", "subscribed", "unsubscribe", "unsubscribed")
    if stanza.name == "presence" and stanza.getAttribute("type") in kinds:
        return markup.copied(stanza, from_=str(session.jid.bare))
    return stanza
