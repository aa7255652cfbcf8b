"""Random trees of elements, each made of random bytes, which hypothesis shrinks.

To draw each name and character by itself takes it milliseconds for a tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

from hypothesis import strategies as st
from twisted.words.xish import domish

from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.serialize import NS_XML, sanitize

XMLNS = "http://www.w3.org/2000/xmlns/"

NAMES = ["a", "B", "_", "x-1.y", "body", "message", "n0", "n1"]
URIS = ["", ns.CLIENT, ns.MUC_USER, "urn:x:<&'\">", "urn:\u00e9\U0001f600", "u'/></iq><iq/>"]
MARKUP = "\t\n\r<>&'\"]= "

#: What a caller may pass by mistake, or an attacker through it.
NO_NAMES = ["", "xmlns", "xml:lang", "a b", "x>", "a\n", "\u00e9", "\x00", None, 7, b"a"]
NO_URIS = [None, NS_XML, XMLNS, "a b", "\x08", "\ud800"]
NO_TEXTS = [None, 7, b"x", domish.SerializedXML("<iq/>"), "\x00\x08\x1b", "\ud800\udfff\uffff"]
NO_KEYS = [("a",), (None, "a"), ("", "a"), (XMLNS, "p"), ("\x08", "a"), ("u", "a b"), 7]

#: Of a hostile tree's parts, one in so many is such a one.
RARE = 24


class _Maker:
    """Makes a tree, each choice by the next byte; without bytes by zeros, which end it."""

    def __init__(self, data: bytes, is_hostile: bool) -> None:
        self._bytes: Iterator[int] = chain(data, repeat(0))
        self._is_hostile = is_hostile

    def _one(self, sound: list[Any], unsound: list[Any]) -> Any:
        byte = next(self._bytes)
        if self._is_hostile and byte >= 256 - 256 // RARE:
            return (unsound * 2 + [self._text()])[next(self._bytes) % (2 * len(unsound) + 1)]
        return sound[byte % len(sound)]

    def _text(self) -> str:
        return "".join(self._character() for _ in range(next(self._bytes) % 8))

    def _character(self) -> str:
        byte = next(self._bytes)
        if byte < 128:
            return MARKUP[byte % len(MARKUP)]
        character = chr(byte << 16 & 0x0F0000 | next(self._bytes) << 8 | next(self._bytes))
        # What XML allows (1.0, 2.2), and all of that is sound.
        return character if self._is_hostile or sanitize(character) == character else "x"

    def _key(self) -> Any:
        name = self._one(NAMES, NO_NAMES + NO_KEYS)
        uri = self._one(["", "", *URIS[1:]], NO_URIS)
        return (uri, name) if uri else name

    def element(self, depth: int = 0) -> domish.Element:
        """A whole element."""
        element = domish.Element((self._one(URIS, NO_URIS), self._one(NAMES, NO_NAMES)))
        for _ in range(next(self._bytes) % 3):
            element.attributes[self._key()] = self._one([self._text()], NO_TEXTS)
        for _ in range(next(self._bytes) % 4 if depth < 4 else 0):
            is_text = next(self._bytes) % 2
            element.children.append(
                self._one([self._text()], NO_TEXTS) if is_text else self.element(depth + 1)
            )
        return element


def trees(*, hostile: bool = False) -> st.SearchStrategy[domish.Element]:
    """Trees that an honest peer may build; or what a caller may pass, of which some are sound."""
    return st.binary(min_size=160, max_size=160).map(lambda data: _Maker(data, hostile).element())
