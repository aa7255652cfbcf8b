"""Plain stanzas from rooms, read by one regular expression before the parser sees them.

Nearly all that a busy bot hears has one of two shapes: a message of type
``groupchat`` with a body, or a subject, and a few children that mean little, or the
presence of somebody who is there. To parse such a one, and then to glance at it,
takes three times as long as to see that it has this shape. Between them come the words
of XEP-0198, with which both sides count: behind each message, with Prosody.

This is no XML parser, and it decides nothing. It knows a small subset of XML, as
servers write it, and says of that what the parser and :mod:`~xbot.chat.xmpp.stanzas.fast_path`
would say, to the last character. Of all else it says nothing: of an attribute or
a child that it does not know, or that comes twice, of prefixes, of references
beyond the five that every XML has, of anything that might not be well-formed. That
goes to the parser, as if this were not here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from xml.sax.saxutils import unescape

from xbot.chat.xmpp.stanzas.addresses import read_address
from xbot.chat.xmpp.stanzas.fast_path import Glance, Sighting, Subject, sighting, subject_from
from xbot.chat.xmpp.stanzas.occupants import make_occupant
from xbot.chat.xmpp.stream.ack_queue import Count
from xbot.chat.xmpp.wire import ns
from xbot.model.errors import InvalidJid

# Only single characters are repeated possessively: repetitions of groups lose their way on
# Python 3.11.2 (Debian 12's), with which this would match nothing, or too much. They have
# no choice anyhow, for no two attributes, and no two children, begin alike.

#: What every stanza begins with that may have a shape.
_MESSAGE, _PRESENCE = b"<message ", b"<presence "

#: What stands between stanzas where XEP-0198 counts them.
_COUNT = re.compile(
    rb"<(?:r xmlns='(?P<asks>%b)'|a (?:xmlns='%b' h='(?P<h>[0-9]{1,10})'|h='(?P<h2>[0-9]{1,10})'"
    rb" xmlns='%b'))/>" % ((re.escape(ns.SM.encode()),) * 3)
)

#: An attribute's value without references, and without white space but blanks, for
#: which the parser would give blanks (XML 1.0, section 3.3.3).
_VALUE = r"[^'<&\x00-\x1f]*+"

#: Text without a carriage return, for which the parser would give another character
#: (section 2.11), and without the ``>`` that may not stand behind ``]]``.
_TEXT = r"[^<>&\x00-\x08\x0b-\x1f]*+"
_BODY = rf"{_TEXT}(?:&(?:lt|gt|amp|apos|quot);{_TEXT})*"
_QUOTES = {"&apos;": "'", "&quot;": '"'}

#: Status codes of a presence, which may stand on either side of its item.
_CODES = "(?:<status code='[0-9]{3}'/>)*"
_CODE = re.compile("[0-9]{3}")

#: What is told of a stanza, or of a word between stanzas.
Skimmed = Glance | Sighting | Subject | Count

#: These are no characters of XML (section 2.2), but UTF-8.
_NO_CHARACTERS = re.compile("[\ufffe\uffff]")

#: With more of them a stanza is no plain one.
_MAX_CHILDREN = 16

#: Children of messages without anything in them that mean nothing to us.
_MEANINGLESS = {
    ns.CHAT_STATES: ("active", "composing", "paused", "inactive"),
    ns.CHAT_MARKERS: ("markable",),
    ns.HINTS: ("store", "no-store", "no-copy"),
    ns.RECEIPTS: ("request",),
}


def ends_of_pieces(data: bytes) -> Iterator[int]:
    """Where ``data`` can be cut: before all that may have a shape, and at its end."""
    at, length = 0, len(data)
    message = presence = 0
    while at < length:
        if message <= at:
            message = data.find(_MESSAGE, at + 1) % (length + 1)
        if presence <= at:
            presence = data.find(_PRESENCE, at + 1) % (length + 1)
        at = message if message < presence else presence
        yield at


def skim(data: bytes) -> tuple[Skimmed, int] | None:
    """What a plain stanza tells that ``data`` begins with, and where it ends; None for all else.

    ``data`` stands where a stanza may, in a stream whose default namespace is
    ``jabber:client``.
    """
    read: Callable[[str], tuple[Glance | Sighting | Subject, int] | None]
    if data.startswith(_MESSAGE):
        read = _skim_message
    elif data.startswith(_PRESENCE):
        read = _skim_presence
    else:
        return _skim_count(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    is_ascii = text.isascii()
    if not is_ascii and _NO_CHARACTERS.search(text):
        return None
    try:
        found = read(text)
    except InvalidJid:
        return None
    if found is None or is_ascii:
        return found
    seen, end = found
    return seen, len(text[:end].encode())


def _skim_count(data: bytes) -> tuple[Count, int] | None:
    found = _COUNT.match(data)
    if found is None:
        return None
    return Count(None if found["asks"] else int(found["h"] or found["h2"])), found.end()


def _skim_message(text: str) -> tuple[Glance | Subject, int] | None:
    pattern, groups = _message_shape()
    found = pattern.match(text)
    if found is None:
        return None
    address, id, body, subject, origin_id, stanza_id, by, delay = found.group(*groups)
    if body is None:
        told = subject_from(address) if subject is not None else None
        return None if told is None else (told, found.end())
    sender = read_address(address)
    if subject is not None or sender.jid is sender.bare:
        # With both it is another thing; or the room itself speaks.
        return None
    if "&" in body:
        body = unescape(body, _QUOTES)
    is_of_room = by == sender.bare_text
    return Glance(
        sender, id, body, delay is not None, origin_id, stanza_id if is_of_room else None
    ), found.end()


def _skim_presence(text: str) -> tuple[Sighting, int] | None:
    pattern, groups = _presence_shape()
    found = pattern.match(text)
    if found is None:
        return None
    address, role, affiliation, jid, before, after = found.group(*groups)
    item = {"role": role, "affiliation": affiliation, "jid": jid}
    codes = frozenset(_CODE.findall(before + after))
    seen = sighting(address, codes, make_occupant(item.get))
    return None if seen is None else (seen, found.end())


class _Writer:
    """Writes one expression, and knows the numbers of its groups by what is in them."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def keep(self, name: str, value: str) -> str:
        """What is there, which is wanted later."""
        self.numbers[name] = len(self.numbers) + 1
        return f"({value})"

    def once(self, name: str, before: str, value: str, after: str) -> str:
        """Something with ``value`` in it, as long as it was not there before."""
        number = self.numbers[name] = len(self.numbers) + 1
        # What it begins with comes first, so that most are seen not to be meant by one letter.
        return rf"{before}(?({number})(?!))({value}){after}"

    def need(self, *names: str) -> str:
        """Here all of these were there."""
        return "".join(rf"(?({self.numbers[name]})|(?!))" for name in names)

    def tag(self, element: str, fixed: dict[str, str], *others: str) -> str:
        """A tag's inside, with each of the ``fixed`` attributes and perhaps some of the others."""
        values = {key: re.escape(value) for key, value in fixed.items()}
        values |= dict.fromkeys(others, _VALUE)
        some = [
            self.once(f"{element} {key}", f"{key}='", value, "'") for key, value in values.items()
        ]
        attributes = f"(?: (?:{'|'.join(some)}))" + ("+" if fixed else "*")
        return f"{element}{attributes}{self.need(*(f'{element} {key}' for key in fixed))}"

    def empty(self, element: str, uri: str, *others: str) -> str:
        """An empty element of this namespace, but for its ``<``."""
        return self.tag(element, {"xmlns": uri}, *others) + "/>"

    def write(self, start: str, children: list[str], end: str) -> re.Pattern[str]:
        """An element with some of the children, all but their ``<``."""
        some = rf"(?:<(?:{'|'.join(children)})){{1,{_MAX_CHILDREN}}}"
        return re.compile(f"<{start}>{some}{end}")

    def groups(self, *names: str) -> list[int]:
        """The numbers of these."""
        return [self.numbers[name] for name in names]


# Both are made when they are wanted: to compile them takes some milliseconds.


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
    for uri, names in _MEANINGLESS.items():
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
    )
