"""Build, copy and serialise stanzas as well-formed XML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import quoteattr

from twisted.words.protocols.jabber.error import STANZA_CONDITIONS
from twisted.words.xish import domish

from xbot.chat.xmpp.stanzas.stanza import child, error_reply, reply_to
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.serialize import serialize
from xbot.model.errors import XbotError

#: A ``domish.Element``. Twisted Words carries no types.
Element = Any

DISCO_ITEMS = "http://jabber.org/protocol/disco#items"

_new_element: Any = domish.Element
_conditions: Any = STANZA_CONDITIONS


class StanzaError(XbotError):
    """A stanza is refused; ``condition`` is the stanza error condition to answer with."""

    def __init__(self, condition: str) -> None:
        super().__init__(condition)
        self.condition = condition


def element(uri: str, name: str, text: str = "", /, **attributes: str | None) -> Element:
    """Make an element; attributes that are None are left out, ``from_`` means ``from``."""
    made = _new_element((uri, name))
    for key, value in attributes.items():
        if value is not None:
            made[key.rstrip("_")] = value
    if text:
        made.addContent(text)
    return made


def stanza(name: str, /, **attributes: str | None) -> Element:
    """Make a ``message``, ``presence`` or ``iq``."""
    return element(ns.CLIENT, name, **attributes)


def copied(original: Element, /, **attributes: str | None) -> Element:
    """A shallow copy of a stanza, with these attributes set (or removed, when None).

    The copy has its own list of children; the children are shared and must not be changed.
    """
    made = _new_element((original.uri, original.name))
    made.attributes = dict(original.attributes)
    made.children = list(original.children)
    for key, value in attributes.items():
        made.attributes.pop(key.rstrip("_"), None)
        if value is not None:
            made[key.rstrip("_")] = value
    return made


def text_of(parent: Element, uri: str, name: str) -> str | None:
    """The text of the first child element of this name; None when there is none."""
    found = child(parent, uri, name)
    return None if found is None else str(found)


def result(request: Element, payload: Element | None = None) -> Element:
    """The iq result for a request, with ``payload`` or empty."""
    answer = _from(reply_to(request, "result"), request.getAttribute("to"))
    if payload is not None:
        answer.addChild(payload)
    return answer


def refusal(request: Element, condition: str, sender: str | None = None) -> Element:
    """A minimal error reply, without the content of the request.

    Its ``from`` is the request's ``to``, or ``sender``.
    """
    answer = error_reply(request, condition, _conditions[condition]["type"])
    return _from(answer, sender or request.getAttribute("to"))


def _from(answer: Element, sender: str | None) -> Element:
    if sender is not None:
        answer["from"] = sender
    return answer


def stream_error(condition: str) -> Element:
    """A stream error (RFC 6120 4.9)."""
    error = element(ns.STREAMS, "error")
    error.addChild(element(ns.STREAM_ERRORS, condition))
    return error


def delay(sender: str, seconds: float) -> Element:
    """A delay element: ``sender`` stored the stanza at ``seconds`` since the epoch (XEP-0203)."""
    stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return element(ns.DELAY, "delay", from_=sender, stamp=stamp)


def disco_info(category: str, kind: str, name: str, features: Iterable[str]) -> Element:
    """A disco#info result with one identity and its features (XEP-0030 3.1)."""
    query = element(ns.DISCO_INFO, "query")
    query.addChild(element(ns.DISCO_INFO, "identity", category=category, type=kind, name=name))
    for feature in features:
        query.addChild(element(ns.DISCO_INFO, "feature", var=feature))
    return query


def disco_items(names: Mapping[str, str | None]) -> Element:
    """A disco#items result of JIDs with their ``names`` (XEP-0030 4.1)."""
    query = element(DISCO_ITEMS, "query")
    for jid, name in names.items():
        query.addChild(element(DISCO_ITEMS, "item", jid=jid, name=name))
    return query


def serialise(root: Element) -> bytes:
    """Serialise one direct child of a stream that has the header of :func:`header`.

    :raises xbot.chat.xmpp.wire.serialize.Unserializable: for what must not be written.
    """
    if root.uri != ns.STREAMS:
        return serialize(root, ns.CLIENT)
    # RFC 6120 4.8.5: clients may require this prefix.
    inside = b"".join(serialize(each, ns.CLIENT) for each in root.elements())
    name = root.name.encode()
    return b"<stream:%b>%b</stream:%b>" % (name, inside, name)


def header(domain: str, stream_id: str) -> str:
    """The server's stream header (RFC 6120 4.7)."""
    return (
        "<?xml version='1.0'?>"
        f"<stream:stream xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAMS}' version='1.0'"
        f" from={quoteattr(domain)} id={quoteattr(stream_id)} xml:lang='en'>"
    )
