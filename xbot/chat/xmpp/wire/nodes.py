"""A stanza as the parser leaves it: plain lists, of which an element is made when one is needed.

To make a :class:`domish.Element` costs more than to parse it, and most of what a
bot hears needs none. Nothing here is ever changed once the stanza is whole.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from twisted.words.xish import domish

#: What separates a namespace from a name, as the parser gives both: the one
#: character that can stand nowhere in XML. A namespace with a blank in it,
#: expat's customary separator, is a syntax error to expat.
SEPARATOR = "\x0c"

Node = list[Any]
"""``[name, attributes, *children]``; a child is a node, or a piece of text (several may follow).

Names are :func:`full_name`\\ s; so are the keys of attributes that have a namespace.
Prefixes are not kept.
"""

#: Where what stands in a node.
NAME, ATTRIBUTES, CHILDREN = 0, 1, 2


def full_name(uri: str, name: str) -> str:
    """What a node calls the element of this namespace and local name."""
    return f"{uri}{SEPARATOR}{name}" if uri else name


#: Characters of a name that is remembered: strangers choose them, and a thousand of the
#: longest that a stanza can have would fill the memory.
MAX_REMEMBERED = 256


def split_name(full: str) -> tuple[str, str]:
    """The (namespace, local name) of a full name."""
    return _split_short(full) if len(full) <= MAX_REMEMBERED else _split(full)


def _split(full: str) -> tuple[str, str]:
    uri, _, name = full.rpartition(SEPARATOR)
    return uri, name


_split_short = lru_cache(maxsize=1024)(_split)


def text_of(node: Node) -> str:
    """The text in a node that has no child elements."""
    # Nearly always it is one piece.
    return node[CHILDREN] if len(node) == CHILDREN + 1 else "".join(node[CHILDREN:])


def child_of(node: Node, name: str) -> Node | None:
    """The first child of this full name."""
    # A piece of text between the children is no such name, nor is its first character.
    return next((child for child in node[CHILDREN:] if child[NAME] == name), None)


def node_of(element: domish.Element) -> Node:
    """The node that describes an element."""
    attributes = {
        key if isinstance(key, str) else full_name(*key): value
        for key, value in element.attributes.items()
    }
    children = (child if isinstance(child, str) else node_of(child) for child in element.children)
    return [full_name(element.uri, element.name), attributes, *children]


def element_of(node: Node) -> domish.Element:
    """The element that a node describes; the node's attributes are its own from now on."""
    name, attributes = split_name(node[NAME]), node[ATTRIBUTES]
    for key in [key for key in attributes if SEPARATOR in key]:
        # Of these there may be thousands, each another: nothing to remember.
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
        # No recursion without end: the parser bounds the depth.
        inner = element_of(child)
        inner.parent = element
        element.children.append(inner)
    if text:
        element.children.append("".join(text))
    return element
