"""HTTP server: routing, request limits, security headers, and the Host check.

Each connection has one request and a time limit. There is no login: every client that
can connect may read. The check of the Host header stops DNS rebinding, by which a
foreign web page could make a browser read the status.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from io import BytesIO
from typing import Any, cast

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.http import HTTPFactory, Request

from xbot.web.answer import Answer
from xbot.web.posting import PostHandler, PostRequest

#: Maximum number of open connections, and of seconds per connection.
MAX_CONNECTIONS, MAX_SECONDS = 50, 30.0

#: Minimum age in seconds of a connection that may be closed in favour of a new one.
MIN_SECONDS = 2.0

#: Maximum size of a request body, in bytes. A body is always read before the response is sent.
MAX_BODY = 1 << 20

#: Headers of every response: no foreign content, no scripts, no framing.
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "server": "xbot",
}

Pages = Mapping[str, Callable[[], Answer]]
"""Functions that make the response to GET, by path."""


class _Request(Request):
    """One request. The response is sent in one piece, then the connection is closed."""

    has_chunks = is_too_large = is_gone = False

    def gotLength(self, length: int | None) -> None:
        # Twisted would buffer a body of any length in a temporary file.
        self.has_chunks = length is None
        self.is_too_large = length is not None and length > MAX_BODY
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        if not self.is_too_large and not self.has_chunks:
            super().handleContentChunk(data)

    def connectionLost(self, reason: Failure) -> None:
        self.is_gone = True
        super().connectionLost(reason)

    def process(self) -> None:
        factory: HttpServer = self.channel.factory
        # One request per connection: ignore pipelined ones.
        self.channel.persistent = False
        factory.answer(self).addCallback(self._got_answer)

    def _got_answer(self, answer: Answer) -> None:
        """Send the response, with the security headers, and close the connection."""
        if self.is_gone:
            return
        # Twisted has no reason phrases for 421 and 429.
        self.setResponseCode(answer.status, HTTPStatus(answer.status).phrase.encode())
        for name, value in HEADERS.items():
            self.setHeader(name, value)
        if answer.status == 405:
            self.setHeader("allow", answer.allow)
        keep = f"max-age={answer.max_age}" if answer.max_age else "no-store"
        self.setHeader("cache-control", keep)
        self.setHeader("connection", "close")
        self.setHeader("content-type", answer.kind)
        self.setHeader("content-length", str(len(answer.body)))
        self.write(answer.body)
        self.finish()


class HttpServer(HTTPFactory):
    """Serves ``pages`` to GET and HEAD requests.

    ``hosts`` are the accepted values of the Host header, None for any. ``door``, if
    there is one, handles POST requests.
    """

    noisy = False
    _log = Logger("xbot.web")

    def __init__(
        self,
        pages: Pages,
        hosts: frozenset[str] | None,
        reactor: Any,
        door: PostHandler | None = None,
    ) -> None:
        # No time-out here: Bounded limits the whole connection.
        super().__init__(timeout=cast(Any, None), reactor=reactor)
        self.requestFactory = _Request
        self._pages = pages
        self._hosts = hosts
        self._door = door

    def startFactory(self) -> None:
        """Do nothing: Twisted would start an access log, and a timer for it."""

    def stopFactory(self) -> None:
        """Do nothing, as startFactory did nothing."""

    def buildProtocol(self, addr: IAddress | None) -> Any:
        protocol = super().buildProtocol(addr)
        if protocol is not None:
            protocol.requestFactory = self.requestFactory
        return protocol

    def answer(self, request: _Request) -> Deferred[Answer]:
        """Fires with the response to ``request``; never fails."""
        answer: Deferred[Answer] = maybeDeferred(self._answer, request)
        return answer.addErrback(self._got_failure)

    def _answer(self, request: _Request) -> Any:
        """Check body size, Host header, path and method; then call the page or ``door``."""
        if request.is_too_large:
            return Answer.text(f"the body is too large: more than {MAX_BODY} bytes", 413)
        if request.has_chunks:
            return Answer.text("the Content-Length is missing", 411)
        # A name in bytes gets bytes: else Twisted would decode UTF-8, which a header need not be.
        hosts = request.requestHeaders.getRawHeaders(b"host", [])
        if not self._is_own_host([host.decode("latin-1") for host in hosts]):
            return Answer.text("the Host header names another host; see [http] hosts", 421)
        path = request.path.decode("latin-1")
        page = self._pages.get(path)
        if page is not None:
            if request.method not in (b"GET", b"HEAD"):
                return Answer.text("only GET and HEAD are allowed here", 405, "GET, HEAD")
            return page()
        if self._door is None or not self._door.is_path(path):
            return Answer.text("not found", 404)
        if request.method != b"POST":
            return Answer.text("only POST is allowed here", 405, "POST")
        headers = {
            name.decode("latin-1").lower(): values[-1].decode("latin-1")
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        return self._door.post(PostRequest(path, headers, cast(BytesIO, request.content).read()))

    def _got_failure(self, failure: Failure) -> Answer:
        self._log.failure("internal error answering an HTTP request", failure)
        return Answer.text("internal error; the log has details", 500)

    def _is_own_host(self, hosts: Sequence[str]) -> bool:
        """Whether the Host header is one of ours; against DNS rebinding."""
        if len(hosts) != 1:
            return False
        name = hosts[0].strip().lower()
        if not name.endswith("]"):
            host, colon, port = name.rpartition(":")
            name = host if colon and port.isdecimal() else name
        return self._hosts is None or name in self._hosts


class _Limited(ProtocolWrapper):
    """A connection with a time limit."""

    factory: Any
    transport: Any

    _limit: IDelayedCall | None = None
    began = 0.0
    peer = ""

    def connectionMade(self) -> None:
        self.began = self.factory.clock.seconds()
        self.peer = str(getattr(self.transport.getPeer(), "host", ""))
        self._limit = self.factory.clock.callLater(MAX_SECONDS, self._got_limit)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        super().connectionLost(reason)

    def _got_limit(self) -> None:
        self._limit = None
        self.transport.abortConnection()


class Bounded(WrappingFactory):
    """Limits the number of connections of ``factory``, and the duration of each.

    At the limit, a new connection replaces the oldest one of the host with most
    connections, if that is older than :data:`MIN_SECONDS`. So a client that opens many idle
    connections cannot shut others out (slowloris).
    """

    noisy = False
    protocol = _Limited

    def __init__(self, factory: Any, clock: Any) -> None:
        super().__init__(factory)
        self.clock = clock

    def buildProtocol(self, addr: IAddress | None) -> Any:
        if len(self.protocols) >= MAX_CONNECTIONS and not self._make_room():
            return None
        return super().buildProtocol(addr)

    def _make_room(self) -> bool:
        """Close the oldest connection of the busiest host; False if it is too young."""
        counts = Counter(each.peer for each in self.protocols)
        most = max(counts.values())
        candidates = (each for each in self.protocols if counts[each.peer] == most)
        oldest = min(candidates, key=lambda each: each.began)
        if self.clock.seconds() - oldest.began < MIN_SECONDS:
            return False
        # connectionLost comes later: stop counting the connection now.
        del self.protocols[oldest]
        oldest.transport.abortConnection()
        return True

    def unregisterProtocol(self, protocol: Any) -> None:
        """Called at the end of each connection, also of one that was replaced."""
        self.protocols.pop(protocol, None)
