"""Subprotocol handlers of a session, isolated from each other's exceptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.xish import domish
from twisted.words.xish.xpath import XPathQuery

from xbot.chat.xmpp.stream.stream import Stream
from xbot.chat.xmpp.stream.stream_management import StreamManagement
from xbot.chat.xmpp.wire._wokkel import StreamManager, XMPPHandler
from xbot.chat.xmpp.wire.errors import ConnectionProblem
from xbot.chat.xmpp.wire.nodes import Node, element_of
from xbot.model.errors import NotConnected


class Handler(XMPPHandler):  # type: ignore[misc]
    """Base class of subprotocol handlers.

    ``connectionInitialized`` and ``connectionLost`` mark the start and the end of a
    *session*. A session may be resumed on another stream (XEP-0198): then only
    :meth:`observe` is called again.
    """

    xmlstream: Stream

    def observe(self) -> None:
        """Add our observers to a new stream."""

    def watch(self, name: str, got: Callable[[Any], object], priority: int = 0) -> None:
        """Call ``got`` with each stanza of this name; higher priorities are called first."""
        self.xmlstream.addObserver(_Named(name), got, priority)


class _Named(XPathQuery):
    """Matches stanzas by name: ``/name`` without XPath, whose parser costs 7 ms and 2 MiB."""

    def __init__(self, name: str) -> None:
        self.queryStr = name

    def matches(self, elem: domish.Element) -> bool:
        return bool(elem.name == self.queryStr)


SendRequest = Callable[[str, str | None, domish.Element], Deferred[Node]]
"""Sends an iq of this type to this JID with this payload; fires with the result."""


class Handlers(StreamManager):  # type: ignore[misc]
    """wokkel's StreamManager with isolated handlers and no offline queue.

    COMPAT: in wokkel's own, an exception in one handler keeps the later ones from being
    called; stanzas sent while offline are queued without bound and sent before the rooms
    are joined; IQ replies are matched by an id that can be guessed. Here each call is
    guarded, a handler that fails to start ends the stream (to reconnect is better than
    to run without a handler), nothing is queued, and requests go through
    :class:`xbot.chat.xmpp.stream.iq.Iq`, which sets ``send_request`` to its own.

    ``managed`` tells, when a stream ends, whether its session can be resumed.
    """

    xmlstream: Stream | None
    send_request: SendRequest | None = None

    _log = Logger("xbot.chat.xmpp")

    def __init__(self, factory: Any, clock: Any, managed: StreamManagement | None = None) -> None:
        super().__init__(factory, clock)
        self._managed = managed
        self._in_session = False

    def _connected(self, xs: Stream) -> None:
        """Do nothing yet: handlers start after the login."""

    def _authd(self, xs: Stream) -> None:
        if not xs.is_resumed:
            self._end_session(Failure(ConnectionProblem("the session could not be resumed")))
        self.xmlstream = xs
        self._initialized = self._in_session = True
        for handler in list(self):
            if not self._begin(handler, xs):
                # Do not resume a session that some handlers did not start.
                if self._managed is not None:
                    self._managed.forget()
                xs.end(ConnectionProblem(f"{type(handler).__name__} could not start"))
                return

    def _begin(self, handler: Any, xs: Stream) -> bool:
        if xs.is_resumed:
            handler.xmlstream = xs
            return self._tell(handler, handler.observe)
        return (
            self._tell(handler, handler.makeConnection, xs)
            and self._tell(handler, handler.observe)
            and self._tell(handler, handler.connectionInitialized)
        )

    def _disconnected(self, reason: Failure) -> None:
        self.xmlstream = None
        self._initialized = False
        if self._managed is not None and self._managed.can_resume:
            for handler in list(self):
                handler.xmlstream = None
        else:
            self._end_session(reason)

    def _end_session(self, reason: Failure) -> None:
        if not self._in_session:
            return
        self._in_session = False
        for handler in list(self):
            self._tell(handler, handler.connectionLost, reason)

    def forget_session(self) -> None:
        """End a session that waits for resumption; one with a stream ends with the stream."""
        if self.xmlstream is None:
            self._end_session(Failure(ConnectionProblem("we are leaving")))

    def _tell(self, handler: object, event: Callable[..., object], *arguments: Any) -> bool:
        try:
            event(*arguments)
        except Exception:
            self._log.failure("{handler} failed", handler=type(handler).__name__)
            return False
        return True

    def send(self, obj: domish.Element) -> None:
        """Send a stanza now.

        :raises xbot.model.errors.NotConnected: when there is no session.
        """
        self.stream_to(obj.getAttribute("to", "the server")).send(obj)

    def request(self, request: Any) -> Deferred[domish.Element]:
        """Send a ``wokkel.generic.Request``; fires with the result's iq.

        What a wokkel handler asks comes here (``XMPPHandler.request``). Fails as
        :meth:`xbot.chat.xmpp.stream.iq.Iq.request` does, never with wokkel's errors.
        """
        iq = request.toElement()
        payload = iq.firstChildElement()
        if self.send_request is None or payload is None:
            return fail(NotConnected(iq.getAttribute("to", "the server"), "no request is possible"))
        # The id of wokkel's, which can be guessed, is left behind.
        return self.send_request(iq["type"], iq.getAttribute("to"), payload).addCallback(element_of)

    def stream_to(self, recipient: str) -> Stream:
        """The stream of the session; ``recipient`` goes into the error.

        :raises xbot.model.errors.NotConnected: when there is no session.
        """
        stream = self.xmlstream
        if stream is None or not self._initialized or stream.problem is not None:
            raise NotConnected(recipient, "there is no connection")
        return stream
