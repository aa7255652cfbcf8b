"""Stanzas made, copied, answered and written out as well-formed XML, whatever is in them."""

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

#: RFC 6120 8.3.3: what the sender can do about a condition; "cancel" where not listed.
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
    """A new element; attributes that are None are left out, ``from_`` means ``from``."""
    made = _new_element((uri, name))
    for key, value in attributes.items():
        if value is not None:
            made[key.rstrip("_")] = value
    if text:
        made.addContent(text)
    return made


def stanza(name: str, /, **attributes: str | None) -> Element:
    """A new ``message``, ``presence`` or ``iq``."""
    return element(NS_CLIENT, name, **attributes)


def copied(original: Element, /, **attributes: str | None) -> Element:
    """The same stanza with these attributes set (or, when None, left out).

    The list of children is its own, the children are shared: nobody changes them.
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
    """The empty, or given, answer to an IQ request."""
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
    """The minimal error answer: nothing of the request's content is repeated.

    It comes from where the request went, or from ``sender``.
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
    """RFC 6120 4.9: the last words of a stream."""
    error = element(NS_STREAMS, "error")
    error.addChild(element(NS_STREAM_CONDITIONS, condition))
    return error


def delay(sender: str, seconds: float) -> Element:
    """XEP-0203 4: ``sender`` has kept it since ``seconds`` after the epoch."""
    stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return element(NS_DELAY, "delay", from_=sender, stamp=stamp)


def disco_info(
    category: str, kind: str, name: str, features: tuple[str, ...], node: str | None = None
) -> Element:
    """XEP-0030 3.1: one identity and what it can do."""
    query = element(NS_DISCO_INFO, "query", node=node)
    query.addChild(element(NS_DISCO_INFO, "identity", category=category, type=kind, name=name))
    for feature in features:
        query.addChild(element(NS_DISCO_INFO, "feature", var=feature))
    return query


def serialise(root: Element) -> str:
    """The XML of one direct child of a stream (whose header is :func:`header`'s).

    Not ``Element.toXml``: that one writes namespaces unescaped, so that
    ``<x xmlns="a'/>&lt;evil/>"/>`` would come out as other people's stanzas, and
    it recurses, so that deep nesting raises.
    """
    written: list[str] = []
    # Either text that is ready to be written, or a node with the default namespace around it.
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
    """RFC 6120 4.7: the server's stream header."""
    return (
        "<?xml version='1.0'?>"
        f"<stream:stream xmlns='{NS_CLIENT}' xmlns:stream='{NS_STREAMS}' version='1.0'"
        f" from={_quoted(domain)} id={_quoted(stream_id)} xml:lang='en'>"
    )


def _tags(node: Element, around: str) -> tuple[str, str, str]:
    """A start tag, its end tag ("" when there are no children), the default namespace inside."""
    uri = around if node.uri is None else node.uri
    if uri == NS_STREAMS:
        # RFC 6120 4.8.5: clients may insist on this prefix.
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
