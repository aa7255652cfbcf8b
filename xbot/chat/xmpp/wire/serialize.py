"""Serialise stanzas safely: from an element tree to well-formed bytes.

Twisted's serialiser escapes neither namespaces nor characters that XML forbids, so a
stranger's text could end our stream or inject stanzas in our name. Everything that the
bot sends is serialised here instead.
"""

from __future__ import annotations

import re
from functools import lru_cache
from xml.sax.saxutils import escape

from twisted.words.xish import domish

#: Maximum depth of a tree; a deeper one is a mistake.
MAX_DEPTH = 64

NS_XML = "http://www.w3.org/XML/1998/namespace"
NS_XMLNS = "http://www.w3.org/2000/xmlns/"

# XML 1.0, section 2.2: all characters that are no Char, with lone surrogates. A pattern of
# the allowed ones would take 10 ms to compile.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# A safe subset of XML's NCName, enough for the names in XMPP.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*")

# A literal tab, line feed or carriage return in an attribute, and a carriage
# return in text, would be read back as something else (XML 1.0, 2.11 and 3.3.3).
_ATTRIBUTE_ENTITIES = {"'": "&apos;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_TEXT_ENTITIES = {"\r": "&#13;"}


# Fast path: text without any of these needs no escaping. Most text has none.
_UNSAFE = re.compile("[&<>'\"\t\n\r]|" + _FORBIDDEN.pattern)


#: Maximum size of one character on the wire, in bytes: "&amp;".
WIDEST = 5


class Unserializable(ValueError):
    """The tree is not a valid stanza, which is a bug of ours. Nothing was sent."""


def sanitize(text: str) -> str:
    """``text`` with each character that XML forbids replaced by U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", text)


def text_size(text: str) -> int:
    """The size of ``text`` on the wire in bytes: escaped, in UTF-8."""
    return len(_text(text).encode())


def serialize_message(to: str, kind: str, id: str | None, body: str) -> bytes:
    """The bytes of a message with a body, as :func:`serialize` would make of its element.

    :raises Unserializable: for a value that is not a string.
    """
    try:
        identity = "" if id is None else f" id='{_attribute(id)}'"
        content = f"<body>{_text(body)}</body>" if body else "<body/>"
        return f"{_message_to(to, kind)}{identity}>{content}</message>".encode()
    except TypeError as error:
        raise Unserializable(str(error)) from None


@lru_cache(maxsize=1024)
def _message_to(to: str, kind: str) -> str:
    # Cached: the bot writes to the same few rooms and people.
    return f"<message to='{_attribute(to)}' type='{_attribute(kind)}'"


def serialize(element: domish.Element, default_namespace: str) -> bytes:
    """The bytes of ``element`` as a child of a stream whose default namespace is given.

    :raises Unserializable: for invalid names and namespaces, raw XML, and trees that are
        too deep.
    """
    pieces: list[str] = []
    _write(element, default_namespace, pieces, 0)
    return "".join(pieces).encode()


def _write(element: domish.Element, default: str, pieces: list[str], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Unserializable("the tree is too deep")
    name = _checked(element.name)
    uri = element.uri or ""
    pieces.append(f"<{name}")
    if uri != default:
        pieces.append(f" xmlns='{_namespace(uri)}'")
    for number, (key, value) in enumerate(element.attributes.items()):
        pieces.append(_attribute_text(number, key, value))
    if not element.children:
        pieces.append("/>")
        return
    pieces.append(">")
    for child in element.children:
        if isinstance(child, domish.Element):
            _write(child, uri, pieces, depth + 1)
        elif type(child) is str:
            pieces.append(_text(child))
        else:
            # domish.SerializedXML is a str that must not be escaped. We never trust one.
            raise Unserializable(f"a child of type {type(child).__name__}")
    pieces.append(f"</{name}>")


def _attribute_text(number: int, key: object, value: object) -> str:
    if not isinstance(value, str):
        raise Unserializable(f"an attribute value of type {type(value).__name__}")
    if isinstance(key, str):
        if key == "xmlns":
            raise Unserializable("a namespace given as an attribute")
        return f" {_checked(key)}='{_attribute(value)}'"
    if not (isinstance(key, tuple) and len(key) == 2 and key[0]):
        raise Unserializable("an attribute's key that is no name")
    uri, name = key
    if uri == NS_XML:
        return f" xml:{_checked(name)}='{_attribute(value)}'"
    prefix = f"n{number}"
    return f" xmlns:{prefix}='{_namespace(uri)}' {prefix}:{_checked(name)}='{_attribute(value)}'"


# Cached: namespaces and names are few, because strangers do not choose them.
@lru_cache(maxsize=256)
def _namespace(uri: str) -> str:
    # Namespaces in XML 1.0, section 3: these two cannot be declared. A sanitised
    # namespace would be a different one.
    if uri in (NS_XML, NS_XMLNS) or sanitize(uri) != uri:
        raise Unserializable(f"{uri!r} is no namespace to declare")
    return _attribute(uri)


def _text(text: str) -> str:
    return escape(sanitize(text), _TEXT_ENTITIES) if _UNSAFE.search(text) else text


def _attribute(value: str) -> str:
    return escape(sanitize(value), _ATTRIBUTE_ENTITIES) if _UNSAFE.search(value) else value


@lru_cache(maxsize=256)
def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Unserializable(f"{name!r} is no name")
    return name
