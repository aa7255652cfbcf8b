"""Build, copy and serialise stanzas as well-formed XML."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from twisted.words.xish import domish

#: A ``domish.Element``. Twisted Words carries no types.
Element = Any

NS_CLIENT = "jabber:client"
NS_STREAMS = "http://etherx.jabber.org/streams"
NS_STREAM_CONDITIONS = "urn:ietf:params:xml:ns:xmpp-streams"
NS_STANZA_CONDITIONS = "urn:ietf:params:xml:ns:xmpp-stanzas"
NS_DELAY = "urn:xmpp:delay"
NS_DISCO_INFO = "http://jabber.org/protocol/disco#info"
NS_DISCO_ITEMS = "http://jabber.org/protocol/disco#items"
NS_PING = "urn:xmpp:ping"
NS_XML = "http://www.w3.org/XML/1998/namespace"

#: Error type of each stanza error condition (RFC 6120 8.3.3); "cancel" if not listed.
ERROR_TYPES = {
    "bad-request": "modify",
    "forbidden": "auth",
    "jid-malformed": "modify",
    "not-acceptable": "modify",
    "not-authorized": "auth",
    "registration-required": "auth",
    "resource-constraint": "wait",
}

_new_element: Any = domish.Element

_ATTRIBUTE_ENTITIES = {"'": "&apos;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}


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
    return element(NS_CLIENT, name, **attributes)


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


def children(parent: Element, uri: str, name: str) -> Iterator[Element]:
    """The child elements of this name."""
    return (
        child
        for child in parent.children
        if not isinstance(child, str) and child.uri == uri and child.name == name
    )


def child(parent: Element, uri: str, name: str) -> Element | None:
    """The first child element of this name, or None."""
    return next(children(parent, uri, name), None)


def text_of(parent: Element, uri: str, name: str) -> str | None:
    """The text of the first child element of this name; None when there is none."""
    found = child(parent, uri, name)
    if found is None:
        return None
    return "".join(part for part in found.children if isinstance(part, str))


def result(request: Element, payload: Element | None = None) -> Element:
    """The iq result for a request, with ``payload`` or empty."""
    answer = stanza(
        "iq",
        type="result",
        id=request.getAttribute("id"),
        from_=request.getAttribute("to"),
        to=request.getAttribute("from"),
    )
    if payload is not None:
        answer.addChild(payload)
    return answer


def refusal(request: Element, condition: str, sender: str | None = None) -> Element:
    """A minimal error reply, without the content of the request.

    Its ``from`` is the request's ``to``, or ``sender``.
    """
    answer = stanza(
        request.name,
        type="error",
        id=request.getAttribute("id"),
        from_=sender or request.getAttribute("to"),
        to=request.getAttribute("from"),
    )
    error = element(NS_CLIENT, "error", type=ERROR_TYPES.get(condition, "cancel"))
    error.addChild(element(NS_STANZA_CONDITIONS, condition))
    answer.addChild(error)
    return answer


def stream_error(condition: str) -> Element:
    """A stream error (RFC 6120 4.9)."""
    error = element(NS_STREAMS, "error")
    error.addChild(element(NS_STREAM_CONDITIONS, condition))
    return error


def delay(sender: str, seconds: float) -> Element:
    """A delay element: ``sender`` stored the stanza at ``seconds`` since the epoch (XEP-0203)."""
    stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return element(NS_DELAY, "delay", from_=sender, stamp=stamp)


def disco_info(
    category: str, kind: str, name: str, features: tuple[str, ...], node: str | None = None
) -> Element:
    """A disco#info result with one identity and its features (XEP-0030 3.1)."""
    query = element(NS_DISCO_INFO, "query", node=node)
    query.addChild(element(NS_DISCO_INFO, "identity", category=category, type=kind, name=name))
    for feature in features:
        query.addChild(element(NS_DISCO_INFO, "feature", var=feature))
    return query


def serialise(root: Element) -> str:
    """Serialise one direct child of a stream that has the header of :func:`header`.

    ``Element.toXml`` is not safe: it does not escape namespaces, so
    ``<x xmlns="a'/>&lt;evil/>"/>`` would inject a stanza; and it recurses, so deep
    nesting raises.
    """
    written: list[str] = []
    # Stack of finished text, and of nodes with the default namespace around them.
    waiting: list[str | tuple[Any, str]] = [(root, NS_CLIENT)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            written.append(item)
            continue
        node, around = item
        if isinstance(node, str):
            written.append(escape(node, {"\r": "&#13;"}))
            continue
        start, end, inside = _tags(node, around)
        written.append(start)
        if end:
            waiting.append(end)
            waiting.extend((child, inside) for child in reversed(node.children))
    return "".join(written)


def header(domain: str, stream_id: str) -> str:
    """The server's stream header (RFC 6120 4.7)."""
    return (
        "<?xml version='1.0'?>"
        f"<stream:stream xmlns='{NS_CLIENT}' xmlns:stream='{NS_STREAMS}' version='1.0'"
        f" from={_quoted(domain)} id={_quoted(stream_id)} xml:lang='en'>"
    )


def _tags(node: Element, around: str) -> tuple[str, str, str]:
    """(start tag, end tag or "" without children, default namespace inside)."""
    uri = around if node.uri is None else node.uri
    if uri == NS_STREAMS:
        # RFC 6120 4.8.5: clients may require this prefix.
        name, declared, inside = f"stream:{node.name}", "", around
    else:
        name, inside = node.name, uri
        declared = "" if uri == around else f" xmlns={_quoted(uri)}"
    attributes = "".join(
        _attribute(index, key, value) for index, (key, value) in enumerate(node.attributes.items())
    )
    if not node.children:
        return f"<{name}{declared}{attributes}/>", "", inside
    return f"<{name}{declared}{attributes}>", f"</{name}>", inside


def _attribute(index: int, key: str | tuple[str, str], value: str) -> str:
    if isinstance(key, str):
        return f" {key}={_quoted(value)}"
    uri, name = key
    if uri == NS_XML:
        return f" xml:{name}={_quoted(value)}"
    return f" xmlns:ns{index}={_quoted(uri)} ns{index}:{name}={_quoted(value)}"


def _quoted(value: str) -> str:
    return f"'{escape(value, _ATTRIBUTE_ENTITIES)}'"
