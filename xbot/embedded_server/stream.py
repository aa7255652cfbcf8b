"""XML stream, server side: bounded input, back-pressure, orderly close."""

from __future__ import annotations

from typing import Any

from twisted.internet import interfaces
from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.protocols.jabber.xmlstream import XmlStream
from twisted.words.xish import domish
from zope.interface import implementer

from xbot.embedded_server import markup
from xbot.embedded_server.markup import Element

#: Maximum size of a stanza in bytes; twice what the large servers allow.
MAX_STANZA = 512 * 1024

#: Maximum amount of unsent output for a client that does not read, in bytes.
MAX_UNREAD = 4 * 1024 * 1024

#: Seconds to wait for the client's end of stream before the connection is aborted.
CLOSE_GRACE = 1.0


@implementer(interfaces.IPushProducer)
class ServerStream(XmlStream):
    """An XML stream that reports to its authenticator (:class:`~xbot.embedded_server.login.Login`).

    The authenticator has ``stream_started(root)``, ``got_element(element)`` and
    ``stream_ended()``. ``gone`` fires once, when the connection is lost.
    """

    transport: Any
    stream: Any
    sid: Any
    _log = Logger()

    def __init__(self, authenticator: Any) -> None:
        super().__init__(authenticator)
        self.gone: Deferred[None] = Deferred()
        self.clock: Any = authenticator.clock
        self.is_secure = False
        self.is_closing = False
        self._abort_call: Any = None
        self._is_choked = False
        self._unread = 0

    # -- called by Twisted

    def connectionMade(self) -> None:
        super().connectionMade()
        # Back-pressure: output for a client that stops reading must not fill the memory
        # (see pauseProducing and send).
        self.transport.registerProducer(self, True)

    def _initializeStream(self) -> None:
        super()._initializeStream()
        self.stream.maxStanzaSize = MAX_STANZA
        # RFC 6120 11.1: no DTD; its entities could expand without limit.
        self.stream.parser.StartDoctypeDeclHandler = _refuse_doctype

    def reset(self) -> None:
        """Start a new XML document and discard the rest of the old one.

        RFC 6120 5.4.3.3: plaintext sent behind ``<starttls/>`` must not be processed as
        if it came under TLS.
        """
        self.stream.ElementEvent = self.stream.DocumentEndEvent = _ignore
        super().reset()

    def dataReceived(self, data: bytes) -> None:
        parser = self.stream
        if self.is_closing or parser is None:
            return
        try:
            parser.parse(data)
        except domish.ParserError:
            self.close("not-well-formed")
        except Exception:
            self._log.failure("a stream of the embedded server failed")
            self.close("internal-server-error")

    def onElement(self, element: Element) -> None:
        if not self.is_closing:
            self.authenticator.got_element(element)

    def onDocumentStart(self, rootElement: Element) -> None:
        self.authenticator.stream_started(rootElement)

    def onDocumentEnd(self) -> None:
        self.close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.is_closing = True
        if self._abort_call is not None and self._abort_call.active():
            self._abort_call.cancel()
        super().connectionLost(reason)
        self.authenticator.stream_ended()
        if not self.gone.called:
            self.gone.callback(None)

    def pauseProducing(self) -> None:
        self._is_choked = True
        self._unread = 0

    def resumeProducing(self) -> None:
        self._is_choked = False

    def stopProducing(self) -> None:
        """Nothing to do: :meth:`connectionLost` follows."""

    # -- called by the server

    def send(self, obj: Element | str) -> None:
        """Send an element, or text that is already XML."""
        data = obj.encode() if isinstance(obj, str) else markup.serialise(obj)
        if self.is_closing:
            return
        self._unread += len(data)
        if self._is_choked and self._unread > MAX_UNREAD:
            self.abort()
            return
        self.transport.write(data)

    def send_header(self, domain: str) -> None:
        """Open our half of the stream."""
        self.send(markup.header(domain, self.sid))
        self._headerSent = True

    def close(self, condition: str | None = None) -> None:
        """Close the stream, with a stream error if a ``condition`` is given (RFC 6120 4.4).

        A client that does not close its half within :data:`CLOSE_GRACE` is disconnected.
        """
        if self.is_closing:
            return
        if condition is not None:
            if not self._headerSent:
                self.send_header(self.authenticator.domain)
            self.send(markup.stream_error(condition))
        if self._headerSent:
            self.send("</stream:stream>")
        self.is_closing = True
        self.authenticator.stream_ended()
        # A transport with a producer waits for it before it closes.
        self.transport.unregisterProducer()
        self._abort_call = self.clock.callLater(CLOSE_GRACE, self.transport.abortConnection)
        self.transport.loseConnection()

    def abort(self) -> None:
        """Abort the connection without closing the stream, as a broken network does."""
        self.is_closing = True
        self.authenticator.stream_ended()
        self.transport.abortConnection()


def _ignore(*_: object) -> None:
    pass


def _refuse_doctype(*_: object) -> None:
    raise domish.ParserError("a document type declaration")
