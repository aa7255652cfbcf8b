"""Iq requests that the server answers itself: roster, disco, ping (RFC 6120 10.3.3)."""

from __future__ import annotations

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


def answer_iq(session: Session, to: Jid, iq: Element, conference: str) -> None:
    """Answer a checked IQ to the domain, or to the session's own bare JID.

    ``conference`` is the MUC service's domain: the only disco item (XEP-0030 4).
    """
    if iq["type"] in ("result", "error"):
        return
    query = iq.firstChildElement()
    asked = (query.uri, query.name)
    payload: Element | None = None
    if asked == (ns.ROSTER, "query"):
        # The roster is always empty: changes are accepted and dropped.
        payload = element(ns.ROSTER, "query") if iq["type"] == "get" else None
    elif asked == (ns.DISCO_INFO, "query") and not query.hasAttribute("node"):
        payload = _disco_info(to)
    elif asked == (DISCO_ITEMS, "query") and not query.hasAttribute("node"):
        payload = element(DISCO_ITEMS, "query")
        if to.local is None:
            payload.addChild(element(DISCO_ITEMS, "item", jid=conference, name="Rooms"))
    elif asked != (ns.PING, "ping"):
        raise StanzaError("service-unavailable")
    answer = markup.result(iq, payload)
    answer["from"] = str(to)
    session.send(answer)


def _disco_info(to: Jid) -> Element:
    if to.local is not None:
        return markup.disco_info("account", "registered", to.local, (ns.DISCO_INFO,))
    features = (ns.DISCO_INFO, DISCO_ITEMS, ns.PING, ns.ROSTER, "msgoffline")
    return markup.disco_info("server", "im", "xbot", features)
