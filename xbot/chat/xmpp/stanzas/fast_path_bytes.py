"""Fast path on bytes: plain room stanzas matched by one regular expression before the parser.

Nearly all stanzas that a busy bot receives have one of two shapes: a groupchat message
with a body (or a subject) and a few children that the bot ignores, or the available
presence of an occupant. To parse such a stanza and read its node takes three times as
long as to match it here. Between the stanzas stand the ``<r/>`` and ``<a/>`` of XEP-0198;
Prosody sends one behind each message.

This is not an XML parser, and it takes no decisions. It accepts a small subset of XML,
as servers write it, and returns for that exactly what the parser and
:func:`~xbot.chat.xmpp.stanzas.message.read_message` or
:func:`~xbot.chat.xmpp.stanzas.presence.read_presence` would return. It returns None for
everything else: an unknown or repeated attribute or child, a prefix, a reference beyond the five
predefined ones, anything that might not be well-formed. That goes to the parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple
from xml.sax.saxutils import unescape

from xbot.chat.xmpp.stanzas.addresses import read_address, read_occupant
from xbot.chat.xmpp.stanzas.counts import Count
from xbot.chat.xmpp.stanzas.message import MessageStanza
from xbot.chat.xmpp.stanzas.occupants import make_occupant
from xbot.chat.xmpp.stanzas.presence import RoomPresence
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.fast_elements import FastElementStream, FastPath
from xbot.model.errors import InvalidJid

# No catastrophic backtracking (ReDoS): single characters are repeated possessively, and
# groups have no choice, because no two attributes and no two children begin alike. Groups
# are not possessive: Python 3.11.2 (Debian 12) has a bug there, and would match nothing,
# or too much.

#: Prefilter: the first bytes of each stanza that may match.
_MESSAGE, _PRESENCE = b"<message ", b"<presence "

#: XEP-0198 ``<r/>`` and ``<a h='...'/>``, which stand between stanzas.
_COUNT = re.compile(
    rb"<(?:r xmlns='(?P<asks>%b)'|a (?:xmlns='%b' h='(?P<h>[0-9]{1,10})'|h='(?P<h2>[0-9]{1,10})'"
    rb" xmlns='%b'))/>" % ((re.escape(ns.SM.encode()),) * 3)
)

#: An attribute's value without references, and with no white space other than blanks:
#: the parser would turn that into blanks (XML 1.0, section 3.3.3).
_VALUE = r"[^'<&\x00-\x1f]*+"

#: Text without a carriage return, which the parser would turn into a line feed (section
#: 2.11), and without ``>``, which must not follow ``]]``.
_TEXT = r"[^<>&\x00-\x08\x0b-\x1f]*+"
_BODY = rf"{_TEXT}(?:&(?:lt|gt|amp|apos|quot);{_TEXT})*"
_QUOTES = {"&apos;": "'", "&quot;": '"'}

#: Status codes of a presence; they may stand before and after its item.
_CODES = "(?:<status code='[0-9]{3}'/>)*"
_CODE = re.compile("[0-9]{3}")


class PlainPresence(NamedTuple):
    """The plain available presence of an occupant: the room's bare JID, and its content."""

    room: str
    presence: RoomPresence


#: The result for a stanza, or for a XEP-0198 element between stanzas.
Plain = MessageStanza | PlainPresence | Count

#: Valid UTF-8, but not allowed in XML (section 2.2).
_NOT_XML = re.compile("[\ufffe\uffff]")

#: Maximum number of children of a plain stanza.
_MAX_CHILDREN = 16

#: Empty children of messages that the bot ignores, by namespace.
_IGNORED = {
    ns.CHAT_STATES: ("active", "composing", "paused", "inactive"),
    ns.CHAT_MARKERS: ("markable",),
    ns.HINTS: ("store", "no-store", "no-copy"),
    ns.RECEIPTS: ("request",),
}


def ends_of_pieces(data: bytes) -> Iterator[int]:
    """Offsets at which to cut ``data``: before each stanza that may match, and at the end."""
    at, length = 0, len(data)
    message = presence = 0
    while at < length:
        if message <= at:
            message = data.find(_MESSAGE, at + 1) % (length + 1)
        if presence <= at:
            presence = data.find(_PRESENCE, at + 1) % (length + 1)
        at = message if message < presence else presence
        yield at


def read_plain(data: bytes) -> tuple[Plain, int] | None:
    """Read the plain stanza at the start of ``data``: (result, end offset); None if it is not one.

    ``data`` must start where a stanza may start, in a stream whose default namespace
    is ``jabber:client``.
    """
    read: Callable[[str], tuple[MessageStanza | PlainPresence, int] | None]
    if data.startswith(_MESSAGE):
        read = _read_message
    elif data.startswith(_PRESENCE):
        read = _read_presence
    else:
        return _read_count(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    is_ascii = text.isascii()
    if not is_ascii and _NOT_XML.search(text):
        return None
    try:
        found = read(text)
    except InvalidJid:
        return None
    if found is None or is_ascii:
        return found
    seen, end = found
    return seen, len(text[:end].encode())


def _read_count(data: bytes) -> tuple[Count, int] | None:
    found = _COUNT.match(data)
    if found is None:
        return None
    return Count(None if found["asks"] else int(found["h"] or found["h2"])), found.end()


def _read_message(text: str) -> tuple[MessageStanza, int] | None:
    pattern, groups = _message_shape()
    found = pattern.match(text)
    if found is None:
        return None
    address, id, body, subject, origin_id, stanza_id, by, occupant_id, delay = found.group(*groups)
    sender, delayed = read_address(address), delay is not None
    if body is None:
        if subject is None:
            return None
        return MessageStanza("groupchat", sender, None, "", True, delayed), found.end()
    if "&" in body:
        body = unescape(body, _QUOTES)
    trusted = stanza_id if by == sender.bare_text else None
    return MessageStanza(
        "groupchat", sender, id, body, False, delayed, origin_id, trusted, occupant_id
    ), found.end()


def _read_presence(text: str) -> tuple[PlainPresence, int] | None:
    pattern, groups = _presence_shape()
    found = pattern.match(text)
    if found is None:
        return None
    address, role, affiliation, jid, before, after, occupant_id = found.group(*groups)
    room, nick = read_occupant(address)
    if nick is None:
        return None
    item = {"role": role, "affiliation": affiliation, "jid": jid}
    codes = frozenset(_CODE.findall(before + after))
    presence = RoomPresence(nick, True, None, codes, make_occupant(item.get, occupant_id))
    return PlainPresence(room, presence), found.end()


class _Writer:
    """Builds a regular expression, and maps names to the numbers of its groups."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def keep(self, name: str, value: str) -> str:
        """A capturing group for ``value``, called ``name``."""
        self.numbers[name] = len(self.numbers) + 1
        return f"({value})"

    def once(self, name: str, before: str, value: str, after: str) -> str:
        """``before value after``, captured as ``name``, and matched at most once."""
        number = self.numbers[name] = len(self.numbers) + 1
        # ``before`` comes first: then the first letter rules out most alternatives.
        return rf"{before}(?({number})(?!))({value}){after}"

    def need(self, *names: str) -> str:
        """A condition: all of these groups have matched before this point."""
        return "".join(rf"(?({self.numbers[name]})|(?!))" for name in names)

    def tag(self, element: str, fixed: dict[str, str], *others: str) -> str:
        """The inside of a tag: all of the ``fixed`` attributes, any of the others, in any order."""
        values = {key: re.escape(value) for key, value in fixed.items()}
        values |= dict.fromkeys(others, _VALUE)
        some = [
            self.once(f"{element} {key}", f"{key}='", value, "'") for key, value in values.items()
        ]
        attributes = f"(?: (?:{'|'.join(some)}))" + ("+" if fixed else "*")
        return f"{element}{attributes}{self.need(*(f'{element} {key}' for key in fixed))}"

    def empty(self, element: str, uri: str, *others: str) -> str:
        """An empty element of this namespace, without its ``<``, matched at most once."""
        # Else a second element without a namespace would pass for more attributes of the first.
        first = self.once(f"{element} first", element[0], "", "")
        return first + self.tag(element, {"xmlns": uri}, *others)[1:] + "/>"

    def write(self, start: str, children: list[str], end: str) -> re.Pattern[str]:
        """Compile: an element with 1 to _MAX_CHILDREN of these children (given without ``<``)."""
        some = rf"(?:<(?:{'|'.join(children)})){{1,{_MAX_CHILDREN}}}"
        return re.compile(f"<{start}>{some}{end}")

    def groups(self, *names: str) -> list[int]:
        """The numbers of these groups."""
        return [self.numbers[name] for name in names]


# Both are compiled on first use: it takes some milliseconds.


@cache
def _message_shape() -> tuple[re.Pattern[str], list[int]]:
    writer = _Writer()
    start = writer.tag("message", {"type": "groupchat"}, "from", "id", "to", "xml:lang")
    children = [
        writer.once("body", "body>", _BODY, "</body>"),
        writer.once("subject", "subject", f"/>|>{_BODY}</subject>", ""),
        writer.empty("stanza-id", ns.STANZA_ID, "id", "by"),
        writer.empty("origin-id", ns.STANZA_ID, "id"),
        writer.empty("occupant-id", ns.OCCUPANT_ID, "id"),
        writer.empty("delay", ns.DELAY, "stamp", "from"),
    ]
    for uri, names in _IGNORED.items():
        children += [rf"{name} xmlns='{re.escape(uri)}'/>" for name in names]
    end = writer.need("message from") + "</message>"
    return writer.write(start, children, end), writer.groups(
        "message from",
        "message id",
        "body",
        "subject",
        "origin-id id",
        "stanza-id id",
        "stanza-id by",
        "occupant-id id",
        "delay xmlns",
    )


@cache
def _presence_shape() -> tuple[re.Pattern[str], list[int]]:
    writer = _Writer()
    start = writer.tag("presence", {}, "from", "id", "to", "xml:lang")
    x = writer.tag("x", {"xmlns": ns.MUC_USER})
    before = writer.keep("codes before", _CODES)
    item = writer.tag("item", {}, "affiliation", "role", "jid")
    after = writer.keep("codes after", _CODES)
    children = [
        f"{x}>{before}<{item}/>{after}</x>",
        writer.empty("c", ns.CAPS, "hash", "node", "ver", "ext"),
        writer.empty("occupant-id", ns.OCCUPANT_ID, "id"),
        writer.empty("idle", ns.IDLE, "since"),
        rf"x xmlns='{re.escape(ns.AVATAR)}'>(?:<photo/>|<photo>{_TEXT}</photo>)?</x>",
        *(rf"{name}>{_TEXT}</{name}>" for name in ("show", "status", "priority")),
    ]
    end = writer.need("presence from", "x xmlns") + "</presence>"
    return writer.write(start, children, end), writer.groups(
        "presence from",
        "item role",
        "item affiliation",
        "item jid",
        "codes before",
        "codes after",
        "occupant-id id",
    )


class FastPathElementStream(FastElementStream):
    """The parser of a stream with this fast path in front of it."""

    def __init__(self) -> None:
        super().__init__(FastPath(ends_of_pieces, read_plain))
