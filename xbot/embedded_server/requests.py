"""Iq requests that the server answers itself: roster, disco, ping (RFC 6120 10.3.3)."""

from __future__ import annotations

from collections.abc import Callable

from xbot.chat.xmpp.wire import ns
from xbot.embedded_server import markup
from xbot.embedded_server.markup import DISCO_ITEMS, Element, StanzaError, element
from xbot.embedded_server.sessions import Session
from xbot.model.jid import Jid


def check_iq(iq: Element) -> None:
    """Check id, type and number of children of an iq (RFC 6120 8.2.3); raises StanzaError."""
    kind = iq.getAttribute("type")
    if kind not in ("get", "set", "result", "error") or not iq.hasAttribute("id"):
        raise StanzaError("bad-request")
    if kind in ("get", "set") and len(list(iq.elements())) != 1:
        raise StanzaError("bad-request")


def answer_to(iq: Element, info: Callable[[], Element], items: Callable[[], Element]) -> Element:
    """The answer to a ping, or to a request for disco ``info`` or ``items`` without a node.

    :raises StanzaError: for any other request.
    """
    query = iq.firstChildElement()
    asked = (query.uri, query.name, iq["type"])
    if asked == (ns.PING, "ping", "get"):
        return markup.result(iq)
    if asked not in ((ns.DISCO_INFO, "query", "get"), (DISCO_ITEMS, "query", "get")):
        raise StanzaError("service-unavailable")
    if query.hasAttribute("node"):
        raise StanzaError("item-not-found")
    return markup.result(iq, info() if query.uri == ns.DISCO_INFO else items())


def answer_iq(session: Session, to: Jid, iq: Element, conference: str) -> None:
    """Answer a checked IQ to the domain, or to the session's own bare JID.

    ``conference`` is the MUC service's domain: the only disco item (XEP-0030 4).
    """
    if iq["type"] in ("result", "error"):
        return
    query = iq.firstChildElement()
    if (query.uri, query.name) == (ns.ROSTER, "query"):
        # The roster is always empty: changes are accepted and dropped.
        answer = markup.result(iq, element(ns.ROSTER, "query") if iq["type"] == "get" else None)
    else:
        services = {} if to.local is not None else {conference: "Rooms"}
        answer = answer_to(iq, lambda: _info(to), lambda: markup.disco_items(services))
    answer["from"] = str(to)
    session.send(answer)


def _info(to: Jid) -> Element:
    if to.local is not None:
        return markup.disco_info("account", "registered", to.local, (ns.DISCO_INFO,))
    features = (ns.DISCO_INFO, DISCO_ITEMS, ns.PING, ns.ROSTER, "msgoffline")
    return markup.disco_info("server", "im", "xbot", features)
