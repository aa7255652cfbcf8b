"""HTTP at the edge: which requests are answered at all, and within which bounds.

Every connection has one request and a time limit. Nobody is logged in here: who
may connect may read. What a browser could be talked into by somebody else's page
is refused by the name that it asks for.
"""

from __future__ import annotations

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
from xbot.web.posting import Posted, TakesPosts

#: So many connections are open at once, and so long, in seconds.
MAX_CONNECTIONS, MAX_SECONDS = 50, 30.0

#: No body is longer. Where none is taken it is read all the same, to answer politely.
MAX_BODY = 1 << 20

#: Sent with everything: nothing from elsewhere, no scripts, in nobody's frame, kept by nobody.
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
"""What makes the answer, by path."""


class _Request(Request):
    """One request. It is answered in one piece, and the connection is closed."""

    has_chunks = is_too_large = is_gone = False

    def gotLength(self, length: int | None) -> None:
        # Twisted would write a body of any length to the disk.
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
        # What is still on its way, nobody reads.
        self.channel.persistent = False
        factory.answer(self).addCallback(self._got_answer)

    def _got_answer(self, answer: Answer) -> None:
        if self.is_gone:
            return
        # Twisted knows no 421 and no 429.
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
    """Answers with ``pages``.

    ``hosts`` are the names by which we may be asked for, any when it is None.
    ``door``, where there is one, takes what is posted.
    """

    noisy = False
    _log = Logger("xbot.web")

    def __init__(
        self,
        pages: Pages,
        hosts: frozenset[str] | None,
        reactor: Any,
        door: TakesPosts | None = None,
    ) -> None:
        # A limit for the whole connection is kept by Bounded.
        super().__init__(timeout=cast(Any, None), reactor=reactor)
        self.requestFactory = _Request
        self._pages = pages
        self._hosts = hosts
        self._door = door

    def startFactory(self) -> None:
        """Nothing: Twisted would begin a log of requests, and a timer for it."""

    def stopFactory(self) -> None:
        """Nothing."""

    def buildProtocol(self, addr: IAddress | None) -> Any:
        protocol = super().buildProtocol(addr)
        if protocol is not None:
            protocol.requestFactory = self.requestFactory
        return protocol

    def answer(self, request: _Request) -> Deferred[Answer]:
        """Fires with what ``request`` is answered, whatever it is; never fails."""
        answer: Deferred[Answer] = maybeDeferred(self._answer, request)
        return answer.addErrback(self._got_failure)

    def _answer(self, request: _Request) -> Any:
        if request.is_too_large:
            return Answer.text("nothing here takes that much", 413)
        if request.has_chunks:
            return Answer.text("say how long it is: send a Content-Length", 411)
        if not self._is_asked_for(request.requestHeaders.getRawHeaders("host", [])):
            return Answer.text("this is not the host that was asked for", 421)
        path = request.path.decode("latin-1")
        page = self._pages.get(path)
        if page is not None:
            if request.method not in (b"GET", b"HEAD"):
                return Answer.text("this can only be read", 405, "GET, HEAD")
            return page()
        if self._door is None or not self._door.is_path(path):
            return Answer.text("there is nothing here", 404)
        if request.method != b"POST":
            return Answer.text("this can only be posted to", 405, "POST")
        headers = {
            name.decode("latin-1").lower(): values[-1].decode("latin-1")
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        return self._door.post(Posted(path, headers, cast(BytesIO, request.content).read()))

    def _got_failure(self, failure: Failure) -> Answer:
        self._log.failure("cannot answer a request", failure)
        return Answer.text("this failed; the log says why", 500)

    def _is_asked_for(self, hosts: Sequence[str]) -> bool:
        """A page whose name suddenly leads to us would be read by its author (DNS rebinding)."""
        if len(hosts) != 1:
            return False
        name = hosts[0].strip().lower()
        if not name.endswith("]"):
            host, colon, port = name.rpartition(":")
            name = host if colon and port.isdecimal() else name
        return self._hosts is None or name in self._hosts


class _Limited(ProtocolWrapper):
    """A connection that ends in time."""

    factory: Any
    transport: Any

    _limit: IDelayedCall | None = None

    def connectionMade(self) -> None:
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
    """Lets ``factory`` have so many connections at once, each for so long."""

    noisy = False
    protocol = _Limited

    def __init__(self, factory: Any, clock: Any) -> None:
        super().__init__(factory)
        self.clock = clock

    def buildProtocol(self, addr: IAddress | None) -> Any:
        if len(self.protocols) >= MAX_CONNECTIONS:
            return None
        return super().buildProtocol(addr)
