"""Counts of stream management (XEP-0198, section 4): ``<r/>`` and ``<a h=""/>`` as values."""

from __future__ import annotations

from typing import NamedTuple

from twisted.words.xish import domish

from xbot.chat.xmpp.wire import ns


class Count(NamedTuple):
    """One side's word to the other (XEP-0198, section 4): its ``h``, or, with None, a request."""

    h: int | None = None

    def element(self) -> domish.Element:
        """The element that says it."""
        element = domish.Element((ns.SM, "r" if self.h is None else "a"))
        if self.h is not None:
            element["h"] = str(self.h)
        return element

    def data(self) -> bytes:
        """What that element is on a stream: said as often as anything else."""
        # A number needs no escaping.
        return _REQUEST if self.h is None else b"<a xmlns='%b' h='%d'/>" % (_NAMESPACE, self.h)


_NAMESPACE = ns.SM.encode()
_REQUEST = b"<r xmlns='%b'/>" % _NAMESPACE


def read_element(element: domish.Element) -> Count | None:
    """What an element says, if it is such a word.

    :raises ValueError: when it is, with an ``h`` that is none.
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
    """An ``h`` as the peer wrote it, or None when it is no number that can be one."""
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 10:
        return None
    return int(text)
