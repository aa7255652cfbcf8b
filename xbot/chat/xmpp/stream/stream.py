"""XML stream to the server: a hardened version of Twisted Words' XmlStream.

During the login nothing reaches a handler: each element goes to the negotiation that
waits for it, and an unexpected element ends the stream. Afterwards stanzas take the
fast path (shortcuts), if one accepts them, or are dispatched to the handlers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IPushProducer,
    ISSLTransport,
)
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.protocols.jabber.xmlstream import (
    STREAM_AUTHD_EVENT,
    Authenticator,
    XmlStream,
)
from twisted.words.xish import domish
from twisted.words.xish.xmlstream import STREAM_END_EVENT, BootstrapMixin
from zope.interface import implementer

from xbot.chat.xmpp.security.channel_binding import tls_connection
from xbot.chat.xmpp.security.tls import explain
from xbot.chat.xmpp.stanzas.counts import Count
from xbot.chat.xmpp.stanzas.fast_path_bytes import FastPathElementStream, Plain
from xbot.chat.xmpp.stanzas.size_limit import SAFE, besides
from xbot.chat.xmpp.stanzas.stanza import message_element
from xbot.chat.xmpp.stream.stream_management import StreamManagement
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.elements import ElementStream, StreamViolation
from xbot.chat.xmpp.wire.errors import ConnectionProblem, Cut, Ended, ProtocolViolation, StreamError
from xbot.chat.xmpp.wire.nodes import NAME, Node, full_name
from xbot.chat.xmpp.wire.quickack import QuickAck
from xbot.chat.xmpp.wire.serialize import Unserializable, serialize, serialize_message, text_size
from xbot.chat.xmpp.wire.wire_log import WireLog
from xbot.model.errors import TooLong
from xbot.model.message import Message

#: Time-out in seconds for the peer to finish a close that we began.
CLOSE_TIMEOUT = 5.0

#: Maximum number of bytes that a managed stream writes in one turn of the reactor, or one stanza.
TURN_BYTES = 2048

#: Maximum number of stanzas that arrive between resource binding and the end of the login.
MAX_EARLY = 256

#: Maximum number of bytes written while the server does not read. Messages wait in the
#: outbox then (back-pressure); this covers answers to others' requests, such as pings.
MAX_UNREAD = 1024 * 1024

#: Dispatched with the stream when the server reads again: the end of back-pressure.
WRITABLE_EVENT = "//event/xbot/writable"

Expected = Callable[[domish.Element], bool]
"""Whether an element is the expected answer."""


Shortcut = Callable[[Node], bool]
"""Fast path: takes a stanza as a node, without an element; False, with nothing changed, if not."""

PlainShortcut = Callable[[Any], bool]
"""The same for a stanza that the fast path on bytes has read, by the class of the result."""

ItemShortcut = Callable[[Node, Node], bool]
"""Handles one child of a large answer while it still arrives; False to leave it there."""

MakeElements = Callable[[], ElementStream]
"""Makes the parser of one stream."""

_PRESENCE = full_name(ns.CLIENT, "presence")

#: The stanzas of a stream after the login (RFC 6120, section 8).
_STANZAS = ("message", "presence", "iq")


@implementer(IPushProducer, IHandshakeListener)
class Stream(XmlStream):
    """The XML stream of one connection.

    While :attr:`negotiating`, the authenticator uses :meth:`open` and :meth:`exchange`;
    afterwards stanzas are dispatched to observers. Only :meth:`end` stops it;
    :attr:`problem` is the reason, or None while it runs.
    """

    transport: Any
    stream: Any

    def __init__(
        self,
        authenticator: Authenticator,
        domain: str,
        clock: Any,
        trace: WireLog | None = None,
        make_elements: MakeElements = FastPathElementStream,
        got_data: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(authenticator)
        self._got_data = got_data
        self._make_elements = make_elements
        self.namespace = ns.CLIENT
        self.domain = domain
        self.negotiating = True
        # The fast path, by the full name of the stanzas; empty before the login.
        self.shortcuts: dict[str, Shortcut] = {}
        self.item_shortcut: ItemShortcut | None = None
        self.plain_shortcuts: dict[type, PlainShortcut] = {}
        #: Called with the sender of a presence that could not be parsed.
        self.lost_presence: Callable[[str], object] = lambda sender: None
        self.is_resumed = False
        self.is_writable = True
        self.managed: StreamManagement | None = None
        self.problem: ConnectionProblem | None = None
        #: Maximum size of a stanza that we send, in bytes.
        self.max_stanza = SAFE
        self.dropped = 0
        self._clock = clock
        self._trace = trace
        self._log = Logger("xbot.chat.xmpp")
        self._turn: Deferred[domish.Element] | None = None
        self._expected: Expected | None = None
        self._early: list[domish.Element] = []
        self._hold: Deferred[Any] | None = None
        self._abort_call: IDelayedCall | None = None
        self._is_shaken = False
        self._handshake: Deferred[None] | None = None
        self._lost = False
        self._unread = 0
        # Buffer: what is written while input is handled leaves in one write.
        self._gathered: list[bytes] | None = None
        # What waits for the next turns of the reactor.
        self._paced: deque[bytes] = deque()
        self._turn_left = TURN_BYTES
        self._pace_call: IDelayedCall | None = None

    def makeConnection(self, transport: Any) -> None:
        self._quickack = QuickAck(transport)
        super().makeConnection(transport)

    # For the login.

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is on, or its handshake has begun."""
        # With direct TLS the transport does not provide ISSLTransport.
        is_wrapped = tls_connection(self.transport) is not None
        return is_wrapped or bool(ISSLTransport.providedBy(self.transport))

    def handshake(self) -> Deferred[None]:
        """Fires once the TLS handshake is done; write nothing before that.

        Data written earlier would leave with the last flight of the handshake, before
        the peer's certificate is checked.
        """
        if self.problem is not None:
            return fail(self.problem)
        if self._is_shaken:
            return succeed(None)
        self._handshake = Deferred()
        return self._handshake

    def handshakeCompleted(self) -> None:
        """Twisted calls this after the TLS handshake (``IHandshakeListener``)."""
        self._is_shaken = True
        handshake, self._handshake = self._handshake, None
        if handshake is not None:
            handshake.callback(None)

    def open(self) -> Deferred[domish.Element]:
        """Open the stream, or restart it; fires with the server's features."""
        self.sendHeader()
        return self._next_turn()

    def exchange(
        self, element: domish.Element, expected: Expected | None = None
    ) -> Deferred[domish.Element]:
        """Send ``element``; fires with the next element from the server.

        With ``expected``, stanzas that are not the answer are queued until the login
        ends: once a resource is bound, others may write to us.
        """
        turn = self._next_turn()
        self._expected = expected
        self.send(element)
        return turn

    def finish_negotiation(self) -> None:
        """The login is done: dispatch stanzas to the observers, queued ones first."""
        self.negotiating = False
        self.transport.registerProducer(self, True)
        self.dispatch(self, STREAM_AUTHD_EVENT)
        early, self._early = self._early, []
        for stanza in early:
            self.dispatch(stanza)

    def start_tls(self, options: object) -> None:
        """Start TLS, and discard unread data that was sent in the clear."""
        self._flush()
        self.transport.startTLS(options)
        self.reset()

    def reset(self) -> None:
        """Restart the stream on the same connection (RFC 6120, section 4.3.3)."""
        self.stream.supersede()
        super().reset()

    def _next_turn(self) -> Deferred[domish.Element]:
        if self.problem is not None:
            return fail(self.problem)
        self._turn = Deferred()
        return self._turn

    def _take_turn(self, outcome: domish.Element | Failure) -> bool:
        turn, self._turn = self._turn, None
        if turn is None:
            return False
        turn.callback(outcome)  # with a Failure this calls the errbacks
        return True

    # Out.

    def sendHeader(self) -> None:
        """Send our stream header (RFC 6120, section 4.7)."""
        # No "from": it would reveal the account's name before TLS (RFC 6120 4.7.1).
        header = domish.Element((ns.STREAMS, "stream"))
        header["to"] = self.domain
        header["version"] = "1.0"
        attributes = serialize(header, ns.STREAMS).decode().removeprefix("<stream")
        self.write(
            f"<?xml version='1.0'?><stream:stream xmlns='{ns.CLIENT}'"
            f" xmlns:stream='{ns.STREAMS}'{attributes.removesuffix('/>')}>".encode()
        )
        self._headerSent = True

    def send(self, obj: domish.Element, message: Message | None = None) -> None:
        """Send one element; with stream management, ``message`` gets a receipt.

        :raises xbot.chat.xmpp.wire.serialize.Unserializable: if it cannot be serialised, or
            exceeds the server's stanza limit. Nothing is sent.
        :raises xbot.model.errors.TooLong: if it exceeds that limit and is ``message``.
        """
        if not isinstance(obj, domish.Element):
            raise TypeError(f"a stream sends elements, not {type(obj).__name__}")
        data = serialize(obj, ns.CLIENT)
        if len(data) > self.max_stanza:
            if message is not None:
                raise self._too_long(message, len(data))
            # The server would end the stream, and the next one after a resumption.
            raise Unserializable(f"<{obj.name}/> of {len(data)} bytes")
        is_counted = self.managed is not None and obj.name in _STANZAS
        if self._trace is not None:
            self._trace.sent(obj)
        self._write_stanza(data, message, is_counted)

    def send_message(self, message: Message) -> None:
        """Send ``message`` as a stanza.

        :raises xbot.model.errors.TooLong: if it exceeds the server's stanza limit.
        """
        if self._trace is not None:
            # The wire log needs an element.
            self.send(message_element(message), message)
            return
        payload = message.payload
        data = serialize_message(
            message.recipient, payload.get("type", "chat"), payload.get("id"), message.body
        )
        if len(data) > self.max_stanza:
            raise self._too_long(message, len(data))
        self._write_stanza(data, message, self.managed is not None)

    def _write_stanza(self, data: bytes, message: Message | None, is_counted: bool) -> None:
        managed = self.managed
        if managed is None or not is_counted:
            self.write(data)
        elif not managed.keeps(data, message):
            self.write(data)
            managed.sent(data, message)

    def _too_long(self, message: Message, size: int) -> TooLong:
        measure = besides(self.max_stanza, size - text_size(message.body))
        return TooLong(message.recipient, size, self.max_stanza, measure)

    def send_count(self, count: Count) -> None:
        """Send our count of handled stanzas (<a/>), or ask for the server's (<r/>)."""
        if self._trace is not None:
            self.send(count.element())
        else:
            self.write(count.data())

    def write(self, data: bytes) -> None:
        """Write serialised data."""
        if self._lost or self.problem is not None:
            return
        if not self.is_writable:
            self._unread += len(data)
            if self._unread > MAX_UNREAD:
                self.end(ConnectionProblem("the server does not read"), abort=True)
                return
        if self._gathered is None:
            self._write_paced([data])
        else:
            self._gathered.append(data)

    def _flush(self) -> None:
        gathered, self._gathered = self._gathered, None
        if gathered:
            self._write_paced(gathered)

    def _write_paced(self, pieces: list[bytes]) -> None:
        """Write whole stanzas; on a managed stream a few at a time.

        A connection that is cut leaves the server with a part of a large write, and servers
        lose sessions over that (docs/servers.md).
        """
        if self.managed is None:
            self.transport.write(b"".join(pieces))
            return
        self._paced.extend(pieces)
        self._write_some()

    def _write_some(self) -> None:
        """Write what still fits into this turn of the reactor; the rest waits for the next one."""
        if self._lost:
            self._paced.clear()
        now: list[bytes] = []
        while self._paced and (
            len(self._paced[0]) <= self._turn_left or self._turn_left == TURN_BYTES
        ):
            piece = self._paced.popleft()
            self._turn_left -= len(piece)
            now.append(piece)
        if now:
            self.transport.write(b"".join(now))
            if self._pace_call is None:
                self._pace_call = self._clock.callLater(0, self._begin_turn)

    def _begin_turn(self) -> None:
        self._pace_call = None
        self._turn_left = TURN_BYTES
        self._write_some()

    def _write_all(self) -> None:
        """Write what is paced, at once."""
        self._flush()
        if self._pace_call is not None:
            self._pace_call.cancel()
            self._pace_call = None
        if self._paced:
            pieces = b"".join(self._paced)
            self._paced.clear()
            self.transport.write(pieces)

    # The transport's back-pressure (twisted.internet.interfaces.IPushProducer).

    def pauseProducing(self) -> None:
        """The server reads too slowly: back-pressure begins."""
        self.is_writable = False

    def resumeProducing(self) -> None:
        """The server reads again: back-pressure ends."""
        self.is_writable = True
        self._unread = 0
        self.dispatch(self, WRITABLE_EVENT)

    def stopProducing(self) -> None:
        """The connection ends; connectionLost follows."""

    # In.

    def _initializeStream(self) -> None:
        elements = self._make_elements()
        elements.DocumentStartEvent = self.onDocumentStart
        elements.ElementEvent = self.onElement
        elements.DocumentEndEvent = self.onDocumentEnd
        elements.DroppedEvent = self._got_dropped
        if self._trace is None:
            # The wire log needs elements, so it disables the fast path.
            elements.NodeEvent = self._got_node
            elements.ItemEvent = self._got_item
            elements.PlainEvent = self._got_plain
        self.stream = elements

    def dataReceived(self, data: bytes) -> None:
        if self.problem is not None or self.stream is None:
            return
        self._gathered = []
        self._got_data()
        try:
            self.stream.parse(data)
        except StreamViolation as violation:
            self.end(ProtocolViolation(f"the server sent {violation}"))
        finally:
            self._flush()
        self._quickack.got_data()

    def onDocumentStart(self, rootElement: domish.Element) -> None:
        root = rootElement
        if (root.uri, root.name) != (ns.STREAMS, "stream"):
            self.end(ProtocolViolation("this is no XMPP server"))
        elif root.defaultUri != ns.CLIENT:
            self.end(ProtocolViolation("the server's stream is not for clients"))
        elif root.getAttribute("version", "").split(".")[0] != "1":
            self.end(ProtocolViolation("the server speaks no XMPP 1.0"))
        elif root.getAttribute("from", self.domain).lower() != self.domain:
            # RFC 6120 4.7.1: the peer chooses the name in its header; it must be the
            # domain that we asked for.
            self.end(ProtocolViolation("the server says that it is for another domain"))
        else:
            self.sid = root.getAttribute("id")

    def _got_node(self, node: Node) -> bool:
        """Try the fast path for a stanza; returns whether it was taken."""
        return self._take_shortcut(self.shortcuts.get(node[NAME]), node)

    def _got_plain(self, plain: Plain) -> bool:
        if type(plain) is Count:
            return self._got_count(plain)
        return self._take_shortcut(self.plain_shortcuts.get(type(plain)), plain)

    def _got_count(self, count: Count) -> bool:
        if self.problem is not None:
            return True
        if self.managed is None or self.negotiating:
            return False
        try:
            self.managed.got_count(count)
        except ProtocolViolation as violation:
            self.end(violation)
        return True

    def _got_item(self, stanza: Node, item: Node) -> bool:
        """Pass on a part of a stanza that still arrives; returns whether it was taken."""
        shortcut = self.item_shortcut
        try:
            return shortcut is not None and shortcut(stanza, item)
        except Exception:
            self._log.failure("internal error in handling a part of a stanza")
            return True

    def _take_shortcut(self, shortcut: Callable[[Any], bool] | None, stanza: Node | Plain) -> bool:
        if shortcut is None:
            # After the end, stanzas are discarded.
            return self.problem is not None
        try:
            if not shortcut(stanza):
                return False
        except Exception:
            # Same as for observers: an exception is logged, and the stanza counts.
            self._log.failure("internal error in handling a stanza")
        self._count()
        return True

    def onElement(self, element: domish.Element) -> None:
        if self.problem is not None:
            return
        if self._trace is not None:
            self._trace.received(element)
        if (element.uri, element.name) == (ns.STREAMS, "error"):
            self.end(_stream_error(element))
        elif self.negotiating:
            self._got_answer(element)
        elif element.uri == ns.CLIENT and element.name in _STANZAS:
            self.dispatch(element)
            self._count()
        else:
            self._got_other(element)

    def hold(self, safe: Deferred[Any]) -> None:
        """Delay the acknowledgement of the stanza that is being dispatched until ``safe`` fires.

        If we crash before that, the server sends the stanza again (XEP-0198).
        """
        self._hold = safe

    def _got_answer(self, element: domish.Element) -> None:
        is_stanza = element.uri == ns.CLIENT and element.name in _STANZAS
        if self._expected is not None and is_stanza and not self._expected(element):
            self._early.append(element)
            if len(self._early) > MAX_EARLY:
                self.end(ProtocolViolation("the server does not answer, but sends stanzas"))
        elif not self._take_turn(element):
            self.end(ProtocolViolation("the server spoke out of turn"))

    def _count(self) -> None:
        """Count a handled stanza for stream management."""
        hold, self._hold = self._hold, None
        if self.managed is not None:
            self.managed.received(hold)

    def _got_other(self, element: domish.Element) -> None:
        try:
            if self.managed is None or not self.managed.got_element(element):
                self._count_dropped("no stanza")
        except ProtocolViolation as violation:
            self.end(violation)

    def onDocumentEnd(self) -> None:
        self.end(Ended("the server closed the stream"))

    def _got_dropped(self, reason: str) -> None:
        if self.negotiating and self._expected is None:
            # Before the binding only the server writes to us, so this was its answer.
            self.end(ProtocolViolation(f"the server sent what cannot be read: {reason}"))
            return
        if self.managed is not None:
            # The server counts it, so we must; else it would send later stanzas again.
            self.managed.received()
        self._count_dropped(reason)
        lost = self.stream.lost
        if lost is not None and lost[0] == _PRESENCE and lost[1] is not None:
            self.lost_presence(lost[1])

    def _count_dropped(self, reason: str) -> None:
        self.dropped += 1
        self._log.debug("dropped a stanza: {reason}", reason=reason)

    # The end.

    def end(self, problem: ConnectionProblem, *, abort: bool = False) -> None:
        """Close the stream for this reason: at once with ``abort``, else with a time-out."""
        if self.problem is not None or self._lost:
            return
        if self._headerSent and not abort:
            self.write(b"</stream:stream>")
        self._write_all()
        self.problem = problem
        self.shortcuts.clear()
        self.item_shortcut = None
        self.plain_shortcuts.clear()
        if not self.negotiating:
            # TLS does not close while a producer is registered.
            self.transport.unregisterProducer()
        if abort:
            self.transport.abortConnection()
            return
        self.transport.loseConnection()
        # COMPAT: loseConnection() under TLS waits for a close_notify that may
        # never come, and Twisted has no time-out for it.
        self._abort_call = self._clock.callLater(CLOSE_TIMEOUT, self._abort)

    def _abort(self) -> None:
        self._abort_call = None
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        if self._pace_call is not None:
            self._pace_call.cancel()
            self._pace_call = None
        if self._abort_call is not None:
            self._abort_call.cancel()
            self._abort_call = None
        if self.problem is None:
            is_closed = reason.check(ConnectionDone) is not None
            self.problem = (Ended if is_closed else Cut)(explain(reason))
        if self.managed is not None:
            self.managed.detached(self)
        failure = Failure(self.problem)
        handshake, self._handshake = self._handshake, None
        if handshake is not None:
            handshake.errback(failure)
        self._take_turn(failure)
        self.dispatch(failure, STREAM_END_EVENT)
        self.stream = None


class StreamFactory(BootstrapMixin, Factory):
    """Makes a :class:`Stream` for each connection, with its own authenticator.

    ``trace``, if given, logs every element; ``make_elements`` makes the parser.
    ``got_data`` is called when data was read, before it is handled.
    """

    noisy = False

    def __init__(
        self,
        make_authenticator: Callable[[], Authenticator],
        domain: str,
        clock: Any,
        trace: WireLog | None = None,
        make_elements: MakeElements = FastPathElementStream,
        got_data: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__()
        self._make_elements = make_elements
        self._got_data = got_data
        self._make_authenticator = make_authenticator
        self._domain = domain
        self._clock = clock
        self._trace = trace

    def buildProtocol(self, addr: object) -> Stream:
        stream = Stream(
            self._make_authenticator(),
            self._domain,
            self._clock,
            self._trace,
            self._make_elements,
            self._got_data,
        )
        stream.factory = self
        self.installBootstraps(stream)
        return stream


def _stream_error(element: domish.Element) -> StreamError:
    """Parse a ``<stream:error/>`` (RFC 6120, section 4.9.2)."""
    condition, text, detail = "undefined-condition", "", ""
    for child in element.elements():
        if child.uri != ns.STREAM_ERRORS:
            continue
        if child.name == "text":
            text = str(child)[:200]
        else:
            condition, detail = child.name[:64], str(child)[:300]
    return StreamError(condition, text, detail)
