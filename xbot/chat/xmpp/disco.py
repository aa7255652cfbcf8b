"""Service discovery, software version and answers to pings (XEP-0030, XEP-0092, XEP-0199).

wokkel's handlers answer; :class:`~xbot.chat.xmpp.stream.iq.Iq` stands around them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.words.protocols.jabber.xmlstream import XMPPHandlerCollection
from twisted.words.xish import domish
from zope.interface import implementer

from xbot import __version__
from xbot.chat.xmpp.stream.iq import Iq, IqRefused
from xbot.chat.xmpp.wire import _wokkel, ns
from xbot.chat.xmpp.wire._wokkel import IDisco, XMPPHandler

NAME = "xbot"

#: Category, type and name (https://xmpp.org/registrar/disco-categories.html).
IDENTITY = ("client", "bot", NAME)

#: Features that no handler of wokkel announces: its DiscoHandler leaves out its own.
OWN_FEATURES = (ns.DISCO_INFO, ns.MUC, ns.CONFERENCE)

#: Maximum length of a node in characters, because the answer repeats it.
MAX_NODE = 1024


class Answers:
    """Answers pings, version requests and disco#info from anyone, with wokkel's handlers.

    COMPAT: on a stream, wokkel's handlers would match each stanza by XPath, keep the JID of
    each sender for ever, and repeat all of a request in an error. Here they have no
    stream: ``iq`` finds the handler by the request's name, and sends what it answers in
    a reply of its own. They are imported and made at the first request: a bot may never
    get one.
    """

    def __init__(self, iq: Iq) -> None:
        iq.answer("get", ns.PING, "ping", self._ping)
        iq.answer("get", ns.VERSION, "query", self._version)
        iq.answer("get", ns.DISCO_INFO, "query", self._disco_info)

    @cached_property
    def _handlers(self) -> _WokkelHandlers:
        return _WokkelHandlers()

    @cached_property
    def _info(self) -> list[Any]:
        # Cached, because it is constant: the handlers do not change.
        return list(result_of(self._handlers.disco.info(None, None, "")))

    def _ping(self, request: domish.Element) -> domish.Element | None:
        return self._handlers.payload(self._handlers.ping.onPing, request)

    def _version(self, request: domish.Element) -> domish.Element | None:
        return self._handlers.payload(self._handlers.version.onVersion, request)

    def _disco_info(self, request: domish.Element) -> domish.Element:
        """Answer a disco#info request (XEP-0030)."""
        query = request.firstChildElement()
        assert query is not None
        node = query.getAttribute("node", "")
        if len(node) > MAX_NODE:
            raise IqRefused("item-not-found")
        info = _wokkel.disco.DiscoInfo()
        # XEP-0030 3.1: the answer repeats the request's node. We are the same at each.
        info.nodeIdentifier = node
        for item in self._info:
            info.append(item)
        payload: domish.Element = info.toElement()
        return payload


class _WokkelHandlers(XMPPHandlerCollection):
    """wokkel's handlers and their parent, which keeps what they send instead of sending it."""

    def __init__(self) -> None:
        super().__init__()
        self._sent: list[domish.Element] = []
        # First: the version handler imports disco later, when the stand-in modules are gone.
        self.disco = _wokkel.disco.DiscoHandler()
        self.ping = _wokkel.ping.PingHandler()
        self.version = _wokkel.generic.VersionHandler(NAME, __version__)
        for handler in (_Self(), self.disco, self.ping, self.version):
            handler.setHandlerParent(self)
            # Not connectionInitialized, which adds the XPath observers.
            handler.makeConnection(self)

    def send(self, obj: domish.Element) -> None:
        """Keep a reply for :meth:`payload`."""
        self._sent.append(obj)

    def payload(
        self, got_request: Callable[[domish.Element], object], request: domish.Element
    ) -> domish.Element | None:
        """The payload of the one reply that a handler's ``got_request`` sends."""
        sent: list[domish.Element] = []
        self._sent = sent
        got_request(request)
        (reply,) = sent
        payload: domish.Element | None = reply.firstChildElement()
        return payload


@implementer(IDisco)
class _Self(XMPPHandler):  # type: ignore[misc]
    """Our identity and features (XEP-0030), for wokkel's DiscoHandler, which asks all handlers."""

    def getDiscoInfo(self, requestor: object, target: object, nodeIdentifier: str = "") -> Any:
        features = map(_wokkel.disco.DiscoFeature, OWN_FEATURES)
        return [_wokkel.disco.DiscoIdentity(*IDENTITY), *features]

    def getDiscoItems(self, requestor: object, target: object, nodeIdentifier: str = "") -> Any:
        """No items: a bot contains no other entities."""
        return []


def result_of(deferred: Deferred[Any]) -> Any:
    """The result of a Deferred that has fired; raises what it failed with.

    :raises ValueError: when it has not fired yet.
    """
    results: list[Any] = []
    deferred.addBoth(results.append)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result
