"""Shared by the hermetic XMPP tests: an in-memory transport and a scripted server."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import settings
from OpenSSL import SSL, crypto
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.words.xish import domish
from zope.interface import alsoProvides

from tests.chat.xmpp.wire.domish_oracle import DomishElementStream
from tests.chat.xmpp.wire.trees import trees
from tests.effort import examples
from tests.identity import Identity
from xbot.chat.xmpp.stanzas.fast_path_bytes import FastPathElementStream
from xbot.chat.xmpp.stream.handlers import Handlers
from xbot.chat.xmpp.stream.login import Account, Login
from xbot.chat.xmpp.stream.redirect import Redirect, RedirectableEndpoint
from xbot.chat.xmpp.stream.stream import MakeElements, Stream, StreamFactory
from xbot.chat.xmpp.wire.nodes import Node, node_of
from xbot.config.settings import Secret
from xbot.model.jid import Jid

JID = Jid.parse("xbot@example.org/bot")
PASSWORD = "pencil"  # of RFC 5802's example
TLS_OPTIONS = object()

HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams' id='s1' from='example.org' version='1.0'>"
)
STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
BIND = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
END = "</stream:stream>"

#: For every property: quick, and the same examples each time.
PROPERTY = settings(max_examples=examples(200), database=None, derandomize=True)


def features(content: str) -> str:
    """A server's header and its stream features."""
    return f"{HEADER}<stream:features>{content}</stream:features>"


def mechanisms(*names: str) -> str:
    """The SASL feature that offers these."""
    offered = "".join(f"<mechanism>{name}</mechanism>" for name in names)
    return f"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{offered}</mechanisms>"


def sasl(name: str, data: str = "") -> str:
    """An element of the SASL namespace."""
    return f"<{name} xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{data}</{name}>"


def parse_all(xml: str | bytes) -> list[domish.Element]:
    """The stanzas in a text, each in the stream's default namespace; the text must be sound."""
    found: list[domish.Element] = []
    stream = DomishElementStream()
    stream.DocumentStartEvent = lambda root: None
    stream.DocumentEndEvent = lambda: None
    stream.ElementEvent = found.append
    stream.DroppedEvent = found.append  # no element: whoever looks at it fails
    stream.parse(HEADER.encode() + (xml.encode() if isinstance(xml, str) else xml))
    return found


def parse(xml: str) -> domish.Element:
    """One stanza from its text, in the stream's default namespace."""
    (element,) = parse_all(xml)
    return element


def parse_node(xml: str) -> Node:
    """The node of one stanza from its text."""
    return node_of(parse(xml))


def shape(element: domish.Element) -> tuple[Any, ...]:
    """What an element is, comparable: namespace, name, attributes, children with text joined."""
    children: list[Any] = []
    for child in element.children:
        if isinstance(child, domish.Element):
            children.append(shape(child))
        elif children and isinstance(children[-1], str):
            children[-1] += str(child)
        elif child:
            children.append(str(child))
    return (element.uri or "", element.name, dict(element.attributes), children)


def in_thread(function: Callable[[], Any]) -> Any:
    """What runs things off the reactor, here and now."""
    return succeed(function())


def lowest(low: float, high: float) -> float:
    """Chance that is none."""
    return low


#: Trees that an honest peer may build, for properties.
HONEST_TREES = trees()


def build(uri: Any, name: Any, attributes: dict[Any, Any], children: list[Any]) -> domish.Element:
    """An element of these parts, none of which is looked at."""
    element = domish.Element((uri, name))
    element.attributes.update(attributes)
    element.children.extend(children)
    return element


@cache
def _certificate() -> crypto.X509:
    # A signature without a hash function leaves nothing to bind a login to.
    key = ed25519.Ed25519PrivateKey.generate()
    return crypto.X509.from_cryptography(Identity("example.org", key=key).certificate)


class MemoryConnection(SSL.Connection):
    """The connection of a transport that pretends to speak TLS, with a certificate of ours."""

    def __init__(self, certificate: crypto.X509 | None = None) -> None:
        """There is nothing beneath. ``certificate`` is what it shows, if not the usual one."""
        self.certificate = certificate or _certificate()

    def get_peer_certificate(self) -> Any:
        """For example.org, unless the test says otherwise."""
        return self.certificate

    def get_verified_chain(self) -> Any:
        """The certificate vouches for itself."""
        return [self.certificate]

    def get_alpn_proto_negotiated(self) -> bytes:
        """None, as after STARTTLS."""
        return b""

    def get_protocol_version(self) -> int:
        """Something that has no data of its own to bind a login to."""
        return 0

    def get_finished(self) -> None:
        """No handshake, and no end of it."""


class MemoryTransport(StringTransport):
    """An in-memory transport that records what was written, and can simulate TLS."""

    aborted = False
    tls: object = None
    connection: Any = None
    certificate: crypto.X509 | None = None

    def getHandle(self) -> Any:
        """What a TLS transport gives."""
        return self.connection

    def startTLS(self, options: object) -> None:
        self.tls = options
        self.connection = MemoryConnection(self.certificate)
        alsoProvides(self, ISSLTransport)

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()


def make_factory(
    clock: Clock,
    run_in_thread: Callable[..., Any] = in_thread,
    make_elements: MakeElements = FastPathElementStream,
) -> StreamFactory:
    """What makes streams that log in to the account of these tests."""
    account = Account(JID, Secret(PASSWORD), TLS_OPTIONS)
    return StreamFactory(
        lambda: Login(account, clock, run_in_thread),
        "example.org",
        clock,
        make_elements=make_elements,
    )


class Peer:
    """The server's end of one connection of ours, played by the test.

    A TLS handshake is over at once, unless ``shakes_hands`` is put to False.
    """

    shakes_hands = True

    def __init__(self, factory: StreamFactory | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        if factory is None:
            factory = make_factory(self.clock)
        self.stream: Stream = factory.buildProtocol(None)
        self.transport = MemoryTransport()
        self.stream.makeConnection(self.transport)

    def feed(self, xml: str | bytes) -> None:
        """The server writes this."""
        is_plain = self.transport.tls is None
        self.stream.dataReceived(xml.encode() if isinstance(xml, str) else xml)
        if is_plain and self.transport.tls is not None and self.shakes_hands:
            self.stream.handshakeCompleted()

    def sent(self) -> str:
        """What we wrote since the last call, with what waits for the reactor's next turns."""
        while self.stream._paced:
            self.stream._clock.advance(0)
        text = self.transport.value().decode()
        self.transport.clear()
        return text

    def stanzas(self) -> list[domish.Element]:
        """The stanzas that we wrote since the last call, which must be sound."""
        return parse_all(self.sent())

    def stanza(self) -> domish.Element:
        """The one stanza that we wrote since the last call."""
        (stanza,) = self.stanzas()
        return stanza

    def lose(self, error: Exception | None = None) -> None:
        """The connection is gone."""
        self.stream.connectionLost(Failure(error or ConnectionDone()))

    def start_tls(self) -> None:
        """The server's part up to the end of STARTTLS."""
        self.feed(features(STARTTLS))
        self.feed(PROCEED)

    def log_in(self, jid: str = "xbot@example.org/bot") -> None:
        """The server's part of a whole login by PLAIN; leaves nothing unread."""
        self.authenticate()
        self.feed(features(BIND))
        self.bind(jid)

    def authenticate(self) -> None:
        """The server's part up to the end of SASL, by PLAIN."""
        self.start_tls()
        self.feed(features(mechanisms("PLAIN")))
        self.feed(sasl("success"))
        self.sent()

    def bind(self, jid: str) -> None:
        """The server answers our wish for a resource."""
        self.feed(
            f"<iq type='result' id='{self.asked()}'>"
            f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{jid}</jid></bind></iq>"
        )

    def asked(self) -> str:
        """The id of the question that we wrote last."""
        sent = self.sent()
        return str(parse(sent[sent.rindex("<iq") :])["id"])


def session(
    *handlers: Any, clock: Clock | None = None, make_elements: MakeElements = FastPathElementStream
) -> Peer:
    """A peer after the login, with these handlers on our side."""
    clock = clock or Clock()
    factory = make_factory(clock, make_elements=make_elements)
    parent = Handlers(factory, clock)
    for handler in handlers:
        handler.setHandlerParent(parent)
    peer = Peer(factory, clock)
    peer.log_in()
    return peer


class FakeEndpoint(RedirectableEndpoint):
    """A fake endpoint; the test lets each attempt succeed or fail.

    ``went`` lists the redirect of each attempt; None is the home endpoint.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(_Goal(self, None), lambda redirect: _Goal(self, redirect))
        self.clock = clock
        self.attempts: list[Deferred[Any]] = []
        self.went: list[Redirect | None] = []
        self.factory: Any = None

    def accept(self) -> Peer:
        """The connection that was tried last is there."""
        peer = Peer(self.factory, self.clock)
        self.attempts[-1].callback(peer.stream)
        return peer

    def refuse(self, error: Exception) -> None:
        """The connection that was tried last fails."""
        self.attempts[-1].errback(Failure(error))


class _Goal:
    def __init__(self, parent: FakeEndpoint, redirect: Redirect | None) -> None:
        self.parent, self.redirect = parent, redirect

    def connect(self, factory: Any) -> Deferred[Any]:
        attempt: Deferred[Any] = Deferred()
        self.parent.factory = factory
        self.parent.attempts.append(attempt)
        self.parent.went.append(self.redirect)
        return attempt


class Receipts:
    """A recording :class:`~xbot.chat.interfaces.IReceipts`."""

    def __init__(self) -> None:
        self.delivered: list[Any] = []
        self.returned: list[Any] = []
        self.bounced: list[Any] = []
        self.rejected: list[tuple[Any, str]] = []

    def got_ready(self, place: str | None = None) -> None:
        """Nothing waits here."""

    def got_delivered(self, message: Any) -> None:
        self.delivered.append(message)

    def got_returned(self, messages: Any) -> None:
        self.returned += messages

    def got_refused(self, message: Any) -> None:
        """It can never be said."""
        raise AssertionError("nothing is refused here")

    def got_bounced(self, message: Any, was_delivered: bool = False) -> None:
        self.bounced.append(message)

    def got_rejected(self, message: Any, reason: str, was_delivered: bool = False) -> None:
        self.rejected.append((message, reason))
