"""What the hermetic tests of the XMPP parts share: a transport in memory, and a scripted server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import succeed
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.words.xish import domish
from zope.interface import alsoProvides

from xbot.jid import Jid
from xbot.settings import Secret
from xbot.xmpp.login import Account, Login
from xbot.xmpp.stream import Stream, StreamFactory

JID = Jid.parse("xbot@example.org/bot")
PASSWORD = "pencil"  # of RFC 5802's example
TLS_OPTIONS = object()

HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams' id='s1' from='example.org' version='1.0'>"
)
STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
BIND = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"


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


def parse(xml: str) -> domish.Element:
    """One stanza from its text, in the stream's default namespace."""
    from xbot.xmpp.elements import ElementStream

    found: list[domish.Element] = []
    stream = ElementStream()
    stream.DocumentStartEvent = lambda root: None
    stream.ElementEvent = found.append
    stream.DroppedEvent = lambda reason: None
    stream.parse(f"{HEADER}{xml}".encode())
    return found[0]


def in_thread(function: Callable[[], Any]) -> Any:
    """What runs things off the reactor, here and now."""
    return succeed(function())


def lowest(low: float, high: float) -> float:
    """Chance that is none."""
    return low


class MemoryTransport(StringTransport):
    """A transport that remembers what was written, and can pretend to speak TLS."""

    aborted = False
    tls: object = None

    def startTLS(self, options: object) -> None:
        self.tls = options
        alsoProvides(self, ISSLTransport)

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()


class Peer:
    """The server's end of one connection of ours, played by the test."""

    def __init__(self, factory: StreamFactory | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.account = Account(JID, Secret(PASSWORD), TLS_OPTIONS)
        if factory is None:
            factory = StreamFactory(
                lambda: Login(self.account, self.clock, in_thread), "example.org", self.clock
            )
        self.stream: Stream = factory.buildProtocol(None)
        self.transport = MemoryTransport()
        self.stream.makeConnection(self.transport)

    def feed(self, xml: str | bytes) -> None:
        """The server writes this."""
        self.stream.dataReceived(xml.encode() if isinstance(xml, str) else xml)

    def sent(self) -> str:
        """What we wrote since the last call."""
        text = self.transport.value().decode()
        self.transport.clear()
        return text

    def lose(self, error: Exception | None = None) -> None:
        """The connection is gone."""
        from twisted.internet.error import ConnectionDone

        self.stream.connectionLost(Failure(error or ConnectionDone()))

    def start_tls(self) -> None:
        """The server's part up to the end of STARTTLS."""
        self.feed(features(STARTTLS))
        self.feed("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")

    def log_in(self, jid: str = "xbot@example.org/bot") -> None:
        """The server's part of a whole login by PLAIN; leaves nothing unread."""
        self.start_tls()
        self.feed(features(mechanisms("PLAIN")))
        self.feed(sasl("success"))
        self.sent()
        self.feed(features(BIND))
        bind = self.sent()
        identity = parse(bind[bind.index("<iq") :])["id"]
        self.feed(
            f"<iq type='result' id='{identity}'>"
            f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{jid}</jid></bind></iq>"
        )
