"""The handlers of one stream, told in turn, each apart from the others' faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.xish import domish

from xbot.errors import NotConnected
from xbot.xmpp._wokkel import StreamManager
from xbot.xmpp.problems import ConnectionProblem
from xbot.xmpp.stream import Stream


class Handlers(StreamManager):  # type: ignore[misc]
    """wokkel's StreamManager, made safe.

    COMPAT: in wokkel's own, an exception in one handler leaves the later ones
    untold, what is sent while offline is queued without bound and leaves before
    the rooms are joined, and IQ replies are matched on an id that can be
    guessed. Here each call is guarded, a handler that cannot begin ends the
    stream (half a bot is worse than one that comes back), nothing is queued,
    and requests go through :class:`xbot.xmpp.iq.Iq`.
    """

    xmlstream: Stream | None

    _log = Logger("xbot.xmpp")

    def _connected(self, xs: Stream) -> None:
        self.xmlstream = xs
        for handler in list(self):
            self._tell(handler, handler.makeConnection, xs)

    def _authd(self, xs: Stream) -> None:
        self._initialized = True
        for handler in list(self):
            if not self._tell(handler, handler.connectionInitialized):
                xs.end(ConnectionProblem(f"{type(handler).__name__} could not begin"))
                return

    def _disconnected(self, reason: Failure) -> None:
        self.xmlstream = None
        self._initialized = False
        for handler in list(self):
            self._tell(handler, handler.connectionLost, reason)

    def _tell(self, handler: object, event: Callable[..., object], *arguments: Any) -> bool:
        try:
            event(*arguments)
        except Exception:
            self._log.failure("{handler} failed", handler=type(handler).__name__)
            return False
        return True

    def send(self, obj: domish.Element) -> None:
        """Send a stanza now.

        :raises xbot.errors.NotConnected: when there is no session.
        """
        stream = self.xmlstream
        if stream is None or not self._initialized or stream.problem is not None:
            raise NotConnected(obj.getAttribute("to", "the server"), "there is no connection")
        stream.send(obj)
