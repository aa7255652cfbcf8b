"""Login, server side: STARTTLS, SASL and resource binding (RFC 6120 5 to 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import ITLSTransport
from twisted.words.protocols.jabber.xmlstream import ListenAuthenticator

from xbot.chat.xmpp.stanzas.stanza import child
from xbot.chat.xmpp.wire import ns
from xbot.embedded_server import credentials, markup
from xbot.embedded_server.binding import bindings
from xbot.embedded_server.credentials import Account, SaslError, Scram, check_plain
from xbot.embedded_server.markup import Element, element
from xbot.embedded_server.sessions import Session
from xbot.embedded_server.stream import ServerStream
from xbot.model.errors import InvalidJid
from xbot.model.jid import Jid

NS_SASL_CB = "urn:xmpp:sasl-cb:0"

#: Time-out of the login in seconds, from the connection to the bound resource.
LOGIN_DEADLINE = 30.0

#: Maximum number of failed logins on one stream; then it is closed (RFC 6120 6.4.5).
MAX_FAILURES = 5


class Host(Protocol):
    """The server, as far as :class:`Login` uses it."""

    domain: str
    mechanisms: tuple[str, ...]
    starttls: bool
    clock: Any

    def tls_options(self) -> Any:
        """TLS options for ``startTLS``."""

    def find_account(self, name: str) -> Account | None:
        """The account of a local part as the client sent it (not normalised), or None."""

    def make_token(self) -> str:
        """A random text that cannot be guessed."""

    def got_login(self, stream: ServerStream, account: Account, resource: str) -> Session:
        """Bind a resource ("" asks the server to choose one). Raises :class:`InvalidJid`."""


class Login(ListenAuthenticator):
    """State machine of one connection's login.

    Its state is ``_step``, the method that handles the next element: ``_secure``,
    ``_authenticate`` (with a challenge open or not), ``_bind``, and then the session's
    ``got_element``.
    """

    xmlstream: Any

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.clock = host.clock
        self.domain = host.domain
        self._host = host
        self._step: Callable[[Element], None] = self._idle
        self._account: Account | None = None
        self._scram: Scram | None = None
        self._mechanism = ""
        self._failures = 0
        self._session: Session | None = None
        self._deadline: Any = None

    # -- called by the stream

    def connectionMade(self) -> None:
        self.xmlstream.sid = self._host.make_token()
        self._deadline = self.clock.callLater(LOGIN_DEADLINE, self._got_deadline)

    def stream_started(self, root: Element) -> None:
        """Check the stream header, answer it, and send the stream features (RFC 6120 4.7)."""
        stream = self.xmlstream
        stream.sid = self._host.make_token()
        stream.send_header(self.domain)
        condition = self._header_fault(root)
        if condition:
            stream.close(condition)
        else:
            self._offer()

    def got_element(self, element: Element) -> None:
        """Pass an element to the current step."""
        self._step(element)

    def stream_ended(self) -> None:
        """The stream has ended, for any reason. May be called more than once."""
        self._step = self._idle
        self._cancel_deadline()
        session, self._session = self._session, None
        if session is not None:
            session.ended()

    # -- the steps

    def _header_fault(self, root: Element) -> str | None:
        if (root.uri, root.name) != (ns.STREAMS, "stream") or root.defaultUri != ns.CLIENT:
            return "invalid-namespace"
        major = root.getAttribute("version", "0").partition(".")[0]
        if not (major.isascii() and major.isdigit() and 0 < len(major) < 4 and int(major) >= 1):
            return "unsupported-version"
        try:
            asked = Jid.parse(root.getAttribute("to", ""))
        except InvalidJid:
            return "improper-addressing"
        return None if asked == Jid(None, self.domain) else "host-unknown"

    def _offer(self) -> None:
        features = element(ns.STREAMS, "features")
        if self._host.starttls and not self.xmlstream.is_secure:
            # RFC 6120 5.3.1: required STARTTLS is the only feature offered.
            offer = element(ns.TLS, "starttls")
            offer.addChild(element(ns.TLS, "required"))
            self._step = self._secure
        elif self._account is None:
            offer = element(ns.SASL, "mechanisms")
            for mechanism in self._mechanisms():
                offer.addChild(element(ns.SASL, "mechanism", mechanism))
            self._offer_bindings(features)
            self._step = self._authenticate
        else:
            offer = element(ns.BIND, "bind")
            self._step = self._bind
        features.addChild(offer)
        self.xmlstream.send(features)

    def _mechanisms(self) -> list[str]:
        # PLAIN sends the password in the clear: never without TLS.
        secure = self.xmlstream.is_secure
        can_bind = bool(self._bindings())
        return [
            name
            for name in self._host.mechanisms
            if (secure or name != "PLAIN") and (can_bind or not name.endswith("-PLUS"))
        ]

    def _bindings(self) -> dict[str, bytes]:
        """The connection's channel-binding data; empty when no -PLUS is configured."""
        if not any(name.endswith("-PLUS") for name in self._host.mechanisms):
            return {}
        return bindings(self.xmlstream.transport)

    def _offer_bindings(self, features: Element) -> None:
        """Announce the channel-binding types, if there are any (XEP-0440 3)."""
        types = self._bindings()
        if types:
            offer = element(NS_SASL_CB, "sasl-channel-binding")
            for name in types:
                kind = element(NS_SASL_CB, "channel-binding")
                kind["type"] = name
                offer.addChild(kind)
            features.addChild(offer)

    def _secure(self, request: Element) -> None:
        stream: ServerStream = self.xmlstream
        if (request.uri, request.name) != (ns.TLS, "starttls"):
            stream.close("policy-violation")
        elif not ITLSTransport.providedBy(stream.transport):
            stream.send(element(ns.TLS, "failure"))
            stream.close()
        else:
            stream.send(element(ns.TLS, "proceed"))
            stream.transport.startTLS(self._host.tls_options())
            stream.is_secure = True
            stream.reset()

    def _authenticate(self, request: Element) -> None:
        if request.uri != ns.SASL:
            self.xmlstream.close("not-authorized")
            return
        try:
            self._sasl(request)
        except SaslError as failure:
            self._refuse(failure.condition)

    def _sasl(self, request: Element) -> None:
        text = str(request)
        if request.name == "abort":
            raise SaslError("aborted")
        if request.name == "auth" and not self._mechanism:
            mechanism = request.getAttribute("mechanism", "")
            if mechanism not in self._mechanisms():
                raise SaslError("invalid-mechanism")
            self._mechanism = mechanism
            if not text:
                # RFC 6120 6.4.2: no initial response; ask for it with an empty challenge.
                self.xmlstream.send(element(ns.SASL, "challenge"))
                return
        elif request.name != "response" or not self._mechanism:
            raise SaslError("malformed-request")
        payload = credentials.decode(text)
        host = self._host
        if self._mechanism == "PLAIN":
            self._accept(check_plain(payload, host.find_account, self._allows))
        elif self._scram is None:
            self._scram = Scram(
                self._mechanism,
                host.find_account,
                self._allows,
                host.make_token(),
                self._bindings(),
            )
            challenge = self._scram.challenge(payload)
            self.xmlstream.send(element(ns.SASL, "challenge", credentials.encode(challenge)))
        else:
            account, final = self._scram.verify(payload)
            self._accept(account, credentials.encode(final))

    def _accept(self, account: Account, final: str = "") -> None:
        self._account = account
        self._step = self._idle
        self.xmlstream.send(element(ns.SASL, "success", final))
        self.xmlstream.reset()

    def _refuse(self, condition: str) -> None:
        self._mechanism = ""
        self._scram = None
        self._failures += 1
        failure = element(ns.SASL, "failure")
        failure.addChild(element(ns.SASL, condition))
        self.xmlstream.send(failure)
        if self._failures >= MAX_FAILURES:
            self.xmlstream.close("policy-violation")

    def _allows(self, account: Account, authzid: str) -> bool:
        try:
            return Jid.parse(authzid) == Jid(account.local, self.domain)
        except InvalidJid:
            return False

    def _bind(self, request: Element) -> None:
        stream: ServerStream = self.xmlstream
        asked = child(request, ns.BIND, "bind") if request.uri == ns.CLIENT else None
        if request.name != "iq" or request.getAttribute("type") != "set" or asked is None:
            # RFC 6120 7.1: no stanzas before resource binding.
            stream.close("not-authorized")
            return
        assert self._account is not None
        resource = markup.text_of(asked, ns.BIND, "resource") or ""
        try:
            session = self._host.got_login(stream, self._account, resource)
        except InvalidJid:
            stream.send(markup.refusal(request, "bad-request", self.domain))
            return
        self._session = session
        self._step = session.got_element
        self._cancel_deadline()
        bound = element(ns.BIND, "bind")
        bound.addChild(element(ns.BIND, "jid", str(session.jid)))
        answer = markup.stanza("iq", type="result", id=request.getAttribute("id"))
        answer.addChild(bound)
        stream.send(answer)

    def _idle(self, _: Element) -> None:
        """Ignore the element: none is expected in this state."""

    # -- the deadline

    def _got_deadline(self) -> None:
        self._deadline = None
        self.xmlstream.close("connection-timeout")

    def _cancel_deadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.cancel()
