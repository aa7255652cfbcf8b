"""Nodes: parsed XML elements as plain lists, converted to ``domish.Element`` only when needed.

To make a :class:`domish.Element` costs more than to parse it, and most of the
stanzas that a bot receives do not need one. A node is immutable by convention
once its stanza is complete.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from twisted.words.xish import domish

#: Separates namespace and local name in the names that the parser reports. A form
#: feed is not allowed anywhere in XML. A blank, the customary separator of expat,
#: is allowed in a namespace, and then expat reports a syntax error.
SEPARATOR = "\x0c"

Node = list[Any]
"""``[name, attributes, *children]``; a child is a node, or a piece of text (several may follow).

Names are :func:`full_name`\\ s; so are the keys of attributes that have a namespace.
Prefixes are not kept.
"""

#: Indices into a node.
NAME, ATTRIBUTES, CHILDREN = 0, 1, 2


def full_name(uri: str, name: str) -> str:
    """The name in a node of the element with this namespace and local name."""
    return f"{uri}{SEPARATOR}{name}" if uri else name


#: Maximum length of a name in the LRU cache, in characters. Strangers choose names, and a
#: thousand of the longest that a stanza can hold would fill the memory.
MAX_REMEMBERED = 256


def split_name(full: str) -> tuple[str, str]:
    """The (namespace, local name) of a full name."""
    return _split_short(full) if len(full) <= MAX_REMEMBERED else _split(full)


def _split(full: str) -> tuple[str, str]:
    uri, _, name = full.rpartition(SEPARATOR)
    return uri, name


_split_short = lru_cache(maxsize=1024)(_split)


def text_of(node: Node) -> str:
    """The text of a node without child elements."""
    # Fast path: nearly always it is one piece.
    return node[CHILDREN] if len(node) == CHILDREN + 1 else "".join(node[CHILDREN:])


def child_of(node: Node, name: str) -> Node | None:
    """The first child of this full name."""
    # A child may be text; then its first character is compared, which is never such a name.
    return next((child for child in node[CHILDREN:] if child[NAME] == name), None)


def node_of(element: domish.Element) -> Node:
    """Convert an element to a node."""
    attributes = {
        key if isinstance(key, str) else full_name(*key): value
        for key, value in element.attributes.items()
    }
    children = (child if isinstance(child, str) else node_of(child) for child in element.children)
    return [full_name(element.uri, element.name), attributes, *children]


def element_of(node: Node) -> domish.Element:
    """Convert a node to an element, which takes over (and changes) the node's attributes."""
    name, attributes = split_name(node[NAME]), node[ATTRIBUTES]
    for key in [key for key in attributes if SEPARATOR in key]:
        # Not cached: there may be thousands, all different.
        attributes[tuple(key.rsplit(SEPARATOR, 1))] = attributes.pop(key)
    element = domish.Element(name, name[0], attributes)
    text: list[str] = []
    for child in node[CHILDREN:]:
        if isinstance(child, str):
            text.append(child)
            continue
        if text:
            element.children.append("".join(text))
            text.clear()
        # The recursion is bounded: the parser limits the depth.
        inner = element_of(child)
        inner.parent = element
        element.children.append(inner)
    if text:
        element.children.append("".join(text))
    return element
