"""Tags in bytes, before the parser sees them.

expat begins an unfinished tag anew with each piece that comes of it, and takes
one with thousands of attributes in a single step that nothing interrupts. So
tags are kept from it until they are whole, and some for good.
"""

from __future__ import annotations

import re
from html import unescape

from xbot.chat.xmpp.wire import ns

#: Of a tag that the parser does not get nothing is kept once it is longer.
MAX_KEPT = 512 * 1024

#: A tag that is whole. Only quotes, and what is in them, may hold a ``>``. The group is
#: repeated greedily: a possessive one ends within a value on Python 3.11.2 (Debian 12's).
_WHOLE = re.compile(rb"""<[^<>'"]*+(?:(?:'[^'<]*+'|"[^"<]*+")[^<>'"]*+)*>""")

#: In a tag: a whole value, or what ends the tag, or the beginning of a value.
_PART = re.compile(rb"""'[^'<]*+'|"[^"<]*+"|[<>'"]""")

#: What ends a value; a ``<`` can stand in none (XML 1.0, section 2.3).
_VALUE_ENDS = {b"'": re.compile(rb"['<]"), b'"': re.compile(rb'["<]')}

#: An attribute of a whole tag, with its value's quotes.
_ATTRIBUTE = re.compile(rb"""\s([^\s=<>/"']+)\s*=\s*('[^']*'|"[^"]*")""")

_PRESENCE = re.compile(rb"<presence(?=\s)")

_CLIENT = ns.CLIENT.encode()

_CDATA, _CDATA_ENDS = b"<![CDATA[", b"]]>"


class NotWellFormed(Exception):
    """A stanza holds what none may hold."""


def unfinished_tag(data: bytes) -> int:
    """Where the tag begins that ``data`` ends within; its length when there is none.

    What is held back because of this is never a whole stanza: one ends with
    the ``>`` of its last tag. In CDATA it may be no tag, but text.
    """
    start = data.rfind(b"<")
    return len(data) if start < 0 or _WHOLE.match(data, start) else start


class UnfinishedTag:
    """A tag of which more is to come: ``size`` in bytes, and whole ``values`` so far."""

    def __init__(self) -> None:
        self.size = 0
        self.values = 0
        self._pieces: list[bytes] = []
        self._is_kept = True
        self._first = self._last = b""
        # The quote that began the value which has not ended.
        self._quote = b""

    def take(self, data: bytes) -> int | None:
        """The next bytes of it; where in them it ended, if it did.

        A ``<`` ends it too: it was no tag, as whoever parses it will say.
        """
        # The "<" that it begins with is not looked at again.
        end = self._end(data, 0 if self.size else 1)
        mine = data if end is None else data[:end]
        self.size += len(mine)
        self._first = (self._first + mine[:2])[:2]
        self._last = (self._last + mine[-2:])[-2:]
        self._pieces.append(mine)
        if not self._is_kept and self.size > MAX_KEPT:
            self._pieces.clear()
        return end

    def forget(self) -> None:
        """Give no more of it than whether it begins or ends an element, or both."""
        self._is_kept = False

    def sender(self) -> str | None:
        """The ``from`` of a presence that begins with it; None when it is none, or too long."""
        text = b"".join(self._pieces)
        if self.size > MAX_KEPT or (name := _PRESENCE.match(text)) is None:
            return None
        # One after the other: what stands in a value is no attribute.
        found = dict(_ATTRIBUTE.findall(text, name.end()))
        if b"from" not in found or found.get(b"xmlns", b"'jabber:client'")[1:-1] != _CLIENT:
            return None
        return unescape(found[b"from"][1:-1].decode(errors="replace"))

    def text(self) -> bytes:
        """All of it that came; of one that was forgotten, another in its place."""
        if self._is_kept:
            return b"".join(self._pieces)
        start = b"</x" if self._first == b"</" else b"<x"
        if self._last == b"/>":
            return start + b"/>"
        return start + (b">" if self._last.endswith(b">") else b"")

    def _end(self, data: bytes, start: int) -> int | None:
        """Where in ``data`` it ends, or the ``<`` stands that cannot be in it."""
        if self._quote:
            found = _VALUE_ENDS[self._quote].search(data)
            if found is None:
                return None
            if found[0] == b"<":
                return found.start()
            start, self._quote = found.end(), b""
            self.values += 1
        for part in _PART.finditer(data, start):
            what = part[0]
            if what == b">":
                return part.end()
            if what == b"<":
                return part.start()
            if len(what) > 1:
                self.values += 1
                continue
            # The pattern finds no end of this value: there is none, or a "<" before it.
            self._quote = what
            wrong = data.find(b"<", part.end())
            return None if wrong < 0 else wrong
        return None


class StanzaEnd:
    """Looks for the end of a stanza of which no more is wanted.

    That it is well-formed is not looked at: a server has parsed it before.
    """

    def __init__(self, depth: int) -> None:
        """``depth`` is how many elements of the stanza are open."""
        self.is_in_cdata = False
        self._depth = depth
        self._rest = b""

    def take(self, data: bytes) -> bytes | None:
        """The next bytes, no tag of them unfinished; what follows its end, or None.

        :raises NotWellFormed: where there is what no stream may hold.
        """
        data, self._rest = self._rest + data, b""
        at = 0
        while True:
            if self.is_in_cdata:
                end = data.find(_CDATA_ENDS, at)
                if end < 0:
                    self._rest = data[max(at, len(data) - len(_CDATA_ENDS) + 1) :]
                    return None
                self.is_in_cdata, at = False, end + len(_CDATA_ENDS)
            at = data.find(b"<", at)
            if at < 0:
                return None
            if data.startswith(_CDATA, at):
                self.is_in_cdata = True
                at += len(_CDATA)
                continue
            tag = _WHOLE.match(data, at)
            if tag is None or data.startswith((b"<!", b"<?"), at):
                raise NotWellFormed("not well-formed (invalid token)")
            text, at = tag[0], tag.end()
            if text.startswith(b"</"):
                self._depth -= 1
            elif not text.endswith(b"/>"):
                self._depth += 1
            if self._depth < 0:
                raise NotWellFormed("mismatched tag")
            if not self._depth:
                return data[at:]
