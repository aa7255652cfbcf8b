"""Limits of tags, checked on bytes before expat sees them.

expat parses an unfinished tag again from its start with each piece of data, and a tag
with thousands of attributes in one uninterruptible step. So an unfinished tag is held
back until it is complete, and one beyond the limits never reaches expat.
"""

from __future__ import annotations

import re
from html import unescape

from xbot.chat.xmpp.wire import ns

#: A forgotten tag is kept up to this size, in bytes.
MAX_KEPT = 512 * 1024

#: A complete tag. A ``>`` may stand only within quotes. The group is
#: repeated greedily: a possessive one ends within a value on Python 3.11.2 (Debian 12's).
_WHOLE = re.compile(rb"""<[^<>'"]*+(?:(?:'[^'<]*+'|"[^"<]*+")[^<>'"]*+)*>""")

#: In a tag: a complete value, the end of the tag, or the start of a value.
_PART = re.compile(rb"""'[^'<]*+'|"[^"<]*+"|[<>'"]""")

#: The end of a value; a ``<`` is not allowed in one (XML 1.0, section 2.3).
_VALUE_ENDS = {b"'": re.compile(rb"['<]"), b'"': re.compile(rb'["<]')}

#: An attribute of a complete tag, with the quotes of its value.
_ATTRIBUTE = re.compile(rb"""\s([^\s=<>/"']+)\s*=\s*('[^']*'|"[^"]*")""")

_PRESENCE = re.compile(rb"<presence(?=\s)")

_CLIENT = ns.CLIENT.encode()

_CDATA, _CDATA_ENDS = b"<![CDATA[", b"]]>"


class NotWellFormed(Exception):
    """A skipped stanza is not well-formed."""


def unfinished_tag(data: bytes) -> int:
    """The offset of an unfinished tag at the end of ``data``; its length if there is none.

    This never holds back a complete stanza, which ends with the ``>`` of its last tag.
    In CDATA it may be text and no tag.
    """
    start = data.rfind(b"<")
    return len(data) if start < 0 or _WHOLE.match(data, start) else start


class UnfinishedTag:
    """An unfinished tag: its ``size`` in bytes, and the number of complete ``values``."""

    def __init__(self) -> None:
        self.size = 0
        self.values = 0
        self._pieces: list[bytes] = []
        self._is_kept = True
        self._first = self._last = b""
        # The quote that started the unfinished value.
        self._quote = b""

    def take(self, data: bytes) -> int | None:
        """Take the next bytes; returns the offset of the tag's end in them, or None.

        A ``<`` ends it too: then it was no tag, and expat will report that.
        """
        # Skip the "<" that it begins with.
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
        """Keep only whether it is a start tag, an end tag, or both."""
        self._is_kept = False

    def sender(self) -> str | None:
        """The ``from`` of a presence with this start tag; None for other or too long tags."""
        text = b"".join(self._pieces)
        if self.size > MAX_KEPT or (name := _PRESENCE.match(text)) is None:
            return None
        # In order, so that text within a value is not taken for an attribute.
        found = dict(_ATTRIBUTE.findall(text, name.end()))
        if b"from" not in found or found.get(b"xmlns", b"'jabber:client'")[1:-1] != _CLIENT:
            return None
        return unescape(found[b"from"][1:-1].decode(errors="replace"))

    def text(self) -> bytes:
        """The bytes so far; for a forgotten tag, a short stand-in."""
        if self._is_kept:
            return b"".join(self._pieces)
        start = b"</x" if self._first == b"</" else b"<x"
        if self._last == b"/>":
            return start + b"/>"
        return start + (b">" if self._last.endswith(b">") else b"")

    def _end(self, data: bytes, start: int) -> int | None:
        """The offset in ``data`` of its end, or of a ``<`` that cannot be in it."""
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
            # The value does not end in this data, or has a "<" before its end.
            self._quote = what
            wrong = data.find(b"<", part.end())
            return None if wrong < 0 else wrong
        return None


class StanzaEnd:
    """Search for the end of a stanza that is skipped.

    It does not check that the stanza is well-formed: a server has parsed it before.
    """

    def __init__(self, depth: int) -> None:
        """``depth`` is the number of open elements of the stanza."""
        self.is_in_cdata = False
        self._depth = depth
        self._rest = b""

    def take(self, data: bytes) -> bytes | None:
        """Take the next bytes, without an unfinished tag; returns those behind the end, or None.

        :raises NotWellFormed: for markup that no stream may contain.
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
