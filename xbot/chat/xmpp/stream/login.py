"""Login: STARTTLS, SASL, resumption or resource binding (RFC 6120, sections 5 to 7).

TLS is required, and no credential is sent before it (RFC 6120, section 13.8).
"""

from __future__ import annotations

import secrets
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.words.protocols.jabber.xmlstream import Authenticator
from twisted.words.xish import domish

from xbot.chat.xmpp.security.channel_binding import available_bindings, finished, tls_connection
from xbot.chat.xmpp.security.downgrade import DowngradeProtection
from xbot.chat.xmpp.security.mechanisms import (
    Choice,
    allowed_mechanisms,
    choose,
    read_offer,
    second_try,
)
from xbot.chat.xmpp.security.sasl import BindingRefused, InThread, authenticate
from xbot.chat.xmpp.security.scram import SaltedPasswords
from xbot.chat.xmpp.security.tls import check_peer
from xbot.chat.xmpp.stanzas.size_limit import told_limit
from xbot.chat.xmpp.stanzas.stanza import child, read_error
from xbot.chat.xmpp.stream.stream import Stream
from xbot.chat.xmpp.stream.stream_management import StreamManagement
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.errors import ConnectionProblem, NegotiationTimeout, ProtocolViolation
from xbot.chat.xmpp.wire.nodes import node_of
from xbot.config.settings import Secret
from xbot.model.errors import InvalidJid
from xbot.model.jid import Jid
from xbot.model.random_ids import new_ident

#: Time-out of the whole login in seconds, from the TCP connection to the bound resource.
NEGOTIATION_TIMEOUT = 30.0

_SESSION = "urn:ietf:params:xml:ns:xmpp-session"


@frozen
class Account:
    """Credentials of the account, and the means to authenticate the server (``tls``, ``pins``).

    ``password`` may be None if ``tls`` has a client certificate (``has_certificate``).
    ``mechanisms`` are the SASL mechanisms that the operator allows; None: the bot
    chooses, with downgrade protection by ``remembered``.
    """

    jid: Jid
    password: Secret | None
    tls: Any
    pins: frozenset[bytes] = frozenset()
    has_certificate: bool = False
    mechanisms: tuple[str, ...] | None = None
    remembered: DowngradeProtection | None = None
    salted_passwords: SaltedPasswords = field(factory=SaltedPasswords, repr=False, eq=False)

    def has_worked(self) -> bool:
        """Whether it is known that this account has logged in before."""
        return self.remembered is not None and self.remembered.knows(self.jid)

    def __attrs_post_init__(self) -> None:
        if not self.jid.local:
            raise ValueError("an account's JID has a local part")


class Login(Authenticator):
    """Negotiates one stream within a time-out, then dispatches STREAM_AUTHD_EVENT.

    ``jid`` is the full JID that the server bound, or None before that. Any failure
    ends the stream with the problem as reason.
    """

    xmlstream: Stream

    def __init__(
        self,
        account: Account,
        clock: Any,
        in_thread: InThread,
        managed: StreamManagement | None = None,
    ) -> None:
        super().__init__()
        self._account = account
        self._clock = clock
        self._in_thread = in_thread
        self._managed = managed
        self.jid: Jid | None = None

    def connectionMade(self) -> None:
        stream = self.xmlstream
        deadline = self._clock.callLater(
            NEGOTIATION_TIMEOUT,
            lambda: stream.end(
                NegotiationTimeout(f"the login took longer than {NEGOTIATION_TIMEOUT:g} s"),
                abort=True,
            ),
        )
        negotiation = Deferred.fromCoroutine(self._negotiate(stream))

        def finished(result: Any) -> Any:
            if deadline.active():
                deadline.cancel()
            return result

        negotiation.addBoth(finished)
        negotiation.addCallbacks(self._succeeded, self._failed)

    def _succeeded(self, jid: Jid) -> None:
        if self.xmlstream.problem is not None:
            return
        self.jid = jid
        self.xmlstream.finish_negotiation()

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, CancelledError):
            error = ConnectionProblem("the login was given up")
        elif isinstance(error, InvalidJid):
            error = ProtocolViolation(f"the server sent {error}")
        elif not isinstance(error, ConnectionProblem):
            error = ConnectionProblem(f"the login failed: {type(error).__name__}: {error}")
        self.xmlstream.end(error)

    async def _negotiate(self, stream: Stream) -> Jid:
        account = self._account
        if not stream.is_encrypted:
            await _start_tls(stream, _features(await stream.open()), account.tls)
        # The same path for STARTTLS, direct TLS and redirects: not a byte is written
        # before the peer's certificate is checked.
        await stream.handshake()
        check_peer(tls_connection(stream.transport), account.jid.domain, account.pins)
        await self._authenticate(stream, _features(await stream.open()))
        stream.reset()
        features = _features(await stream.open())
        stream.max_stanza = told_limit(features)
        managed = self._managed
        offers_management = child(features, ns.SM, "sm") is not None
        if managed is not None and managed.can_resume and offers_management:
            # XEP-0198 5: instead of binding a resource, which would make a new session.
            answer = await stream.exchange(managed.resume_request())
            stream.is_resumed = managed.got_resume_answer(stream, answer)
            if stream.is_resumed:
                assert managed.jid is not None
                return managed.jid
        if managed is not None:
            managed.forget()
        jid = await _bind(stream, features, account.jid)
        if managed is not None and offers_management:
            answer = await stream.exchange(managed.enable_request(), lambda element: False)
            managed.got_enabled(stream, jid, answer)
        return jid

    async def _authenticate(self, stream: Stream, features: domish.Element) -> None:
        account = self._account
        connection = tls_connection(stream.transport)
        bindings = available_bindings(connection)
        allowed = allowed_mechanisms(
            account.mechanisms,
            has_password=account.password is not None,
            has_certificate=account.has_certificate,
        )
        offer = read_offer(features)
        choice = choose(offer, allowed, bindings)
        # The ini overrides the memory.
        remembered = account.remembered if account.mechanisms is None else None
        if remembered is not None:
            remembered.check(account.jid, choice, bindings)
        try:
            await self._try(stream, choice)
        except BindingRefused:
            second = second_try(offer, choice, finished(connection))
            if second is None:
                raise
            choice = second
            await self._try(stream, choice)
        if remembered is not None:
            remembered.got_login(account.jid, choice)

    async def _try(self, stream: Stream, choice: Choice) -> None:
        account = self._account
        assert account.jid.local
        await authenticate(
            choice,
            account.jid.local,
            account.password,
            stream.exchange,
            # 144 random bits; RFC 5802 5.1 wants printable text without commas.
            nonce=secrets.token_urlsafe(18),
            salted_passwords=account.salted_passwords,
            in_thread=self._in_thread,
        )


async def _start_tls(stream: Stream, features: domish.Element, options: Any) -> None:
    if child(features, ns.TLS, "starttls") is None:
        raise ProtocolViolation("the server offers no STARTTLS, and xbot does not log in without")
    answer = await stream.exchange(domish.Element((ns.TLS, "starttls")))
    if (answer.uri, answer.name) != (ns.TLS, "proceed"):
        raise ProtocolViolation("the server refuses to start TLS")
    stream.start_tls(options)


async def _bind(stream: Stream, features: domish.Element, wish: Jid) -> Jid:
    """Bind a resource; return our full JID. The server may choose another resource."""
    if child(features, ns.BIND, "bind") is None:
        raise ProtocolViolation("the server offers no resource binding")
    bind = domish.Element((ns.BIND, "bind"))
    if wish.resource:
        bind.addElement((ns.BIND, "resource"), content=wish.resource)
    result = await _request(stream, bind)
    bound = child(result, ns.BIND, "bind")
    text = child(bound, ns.BIND, "jid") if bound is not None else None
    if text is None:
        raise ProtocolViolation("the server bound no JID")
    jid = Jid.parse(str(text).strip())
    if jid.bare != wish.bare or not jid.resource:
        raise ProtocolViolation(f"the server bound another account's JID ({jid})")
    session = child(features, _SESSION, "session")
    # COMPAT: RFC 3921's session, dropped by RFC 6121, for servers that still insist.
    if session is not None and child(session, _SESSION, "optional") is None:
        await _request(stream, domish.Element((_SESSION, "session")))
    return jid


async def _request(stream: Stream, payload: domish.Element) -> domish.Element:
    """Send an IQ "set" to our server during the login, and return its result."""
    iq = domish.Element((ns.CLIENT, "iq"))
    iq["type"] = "set"
    iq["id"] = new_ident()
    iq.addChild(payload)

    def is_answer(element: domish.Element) -> bool:
        return bool(element.name == "iq" and element.getAttribute("id") == iq["id"])

    answer = await stream.exchange(iq, is_answer if payload.name == "session" else None)
    if not is_answer(answer):
        raise ProtocolViolation("the server answered something else than was asked")
    if answer.getAttribute("type") != "result":
        error = read_error(node_of(answer))
        raise ConnectionProblem(f"the server refuses <{payload.name}/>: {error}")
    return answer


def _features(element: domish.Element) -> domish.Element:
    if (element.uri, element.name) != (ns.STREAMS, "features"):
        raise ProtocolViolation("the server sent no stream features")
    return element
