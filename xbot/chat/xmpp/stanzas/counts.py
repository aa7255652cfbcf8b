"""Counts of stream management (XEP-0198, section 4): ``<r/>`` and ``<a h=""/>`` as values."""

from __future__ import annotations

from typing import NamedTuple

from twisted.words.xish import domish

from xbot.chat.xmpp.wire import ns


class Count(NamedTuple):
    """An acknowledgement ``<a h=""/>``; with ``h`` None, a request ``<r/>``."""

    h: int | None = None

    def element(self) -> domish.Element:
        """The element."""
        element = domish.Element((ns.SM, "r" if self.h is None else "a"))
        if self.h is not None:
            element["h"] = str(self.h)
        return element

    def data(self) -> bytes:
        """The bytes of the element; without serialising it, because it is sent so often."""
        # A number needs no escaping.
        return _REQUEST if self.h is None else b"<a xmlns='%b' h='%d'/>" % (_NAMESPACE, self.h)


_NAMESPACE = ns.SM.encode()
_REQUEST = b"<r xmlns='%b'/>" % _NAMESPACE


def read_element(element: domish.Element) -> Count | None:
    """Parse ``<r/>`` or ``<a/>``; None for any other element.

    :raises ValueError: when ``h`` is missing or not a number.
    """
    if element.uri != ns.SM or element.name not in ("a", "r"):
        return None
    if element.name == "r":
        return Count()
    h = read_count(element.getAttribute("h"))
    if h is None:
        raise ValueError("an acknowledgement without a count")
    return Count(h)


def read_count(text: str | None) -> int | None:
    """Parse an ``h``; None when it is missing or not a valid number."""
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 10:
        return None
    return int(text)
