"""Plain messages in rooms, read by one regular expression before the parser sees them.

Nearly all that a busy bot hears has one shape: a message of type ``groupchat``
with a body and a few children that mean little. To parse such a one, and then to
glance at it, takes four times as long as to see that it has this shape.

This is no XML parser, and it decides nothing. It knows a small subset of XML, as
servers write it, and says of that what the parser and
:func:`~xbot.xmpp.glance.glance_at_message` would say, to the last character. Of
all else it says nothing: of an attribute or a child that it does not know, or that
comes twice, of prefixes, of references beyond the five that every XML has, of
anything that might not be well-formed. That goes to the parser, as if this were
not here.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple
from xml.sax.saxutils import unescape

from xbot.errors import InvalidJid
from xbot.xmpp import ns
from xbot.xmpp.addresses import read_address
from xbot.xmpp.glance import Glance

#: What every message begins with that may have the shape.
BEGINNING = b"<message "

#: An attribute's value without references, and without white space but blanks, for
#: which the parser would give blanks (XML 1.0, section 3.3.3).
_VALUE = r"[^'<&\x00-\x1f]*+"

#: Text without a carriage return, for which the parser would give another character
#: (section 2.11), and without the ``>`` that may not stand behind ``]]``.
_TEXT = r"[^<>&\x00-\x08\x0b-\x1f]*+"
_BODY = rf"{_TEXT}(?:&(?:lt|gt|amp|apos|quot);{_TEXT})*+"
_QUOTES = {"&apos;": "'", "&quot;": '"'}

#: These are no characters of XML (section 2.2), but UTF-8.
_NO_CHARACTERS = re.compile("[\ufffe\uffff]")

#: With more of them a message is no plain one.
_MAX_CHILDREN = 16

#: Children without anything in them that mean nothing to us.
_MEANINGLESS = {
    ns.CHAT_STATES: ("active", "composing", "paused", "inactive"),
    ns.CHAT_MARKERS: ("markable",),
    ns.HINTS: ("store", "no-store", "no-copy"),
    ns.RECEIPTS: ("request",),
}


def skim(data: bytes) -> tuple[Glance, int] | None:
    """What a plain message says that ``data`` begins with, and where it ends; None for all else.

    ``data`` stands where a stanza may, in a stream whose default namespace is
    ``jabber:client``.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if not text.isascii() and _NO_CHARACTERS.search(text):
        return None
    shape = _shape()
    found = shape.pattern.match(text)
    if found is None:
        return None
    address, id, body, origin_id, stanza_id, by, delay = found.group(*shape.groups)
    try:
        sender = read_address(address)
    except InvalidJid:
        return None
    if sender.jid is sender.bare:
        # The room itself speaks.
        return None
    if "&" in body:
        body = unescape(body, _QUOTES)
    end = found.end()
    return Glance(
        sender,
        id,
        body,
        delay is not None,
        origin_id,
        stanza_id if by == sender.bare_text else None,
    ), end if text.isascii() else len(text[:end].encode())


class _Shape(NamedTuple):
    """The expression, and the numbers of those groups that tell something."""

    pattern: re.Pattern[str]
    groups: tuple[int, ...]


@cache
def _shape() -> _Shape:
    """Made when the first message comes: to compile it takes some milliseconds."""
    names: list[str] = []

    def once(name: str, before: str, value: str, after: str) -> str:
        # The group matches where it did not match before.
        names.append(name)
        return rf"(?({len(names)})(?!)|{before}({value}){after})"

    def tag(name: str, fixed: dict[str, str], *others: str) -> str:
        """A tag's inside, with each of the ``fixed`` attributes and perhaps of the others."""
        values = {key: re.escape(value) for key, value in fixed.items()}
        values |= dict.fromkeys(others, _VALUE)
        one = "|".join(once(f"{name} {key}", f"{key}='", values[key], "'") for key in values)
        all_fixed = "".join(rf"(?({names.index(f'{name} {key}') + 1})|(?!))" for key in fixed)
        return rf"{name}(?: (?:{one}))++{all_fixed}"

    message = tag("message", {"type": "groupchat"}, "from", "id", "to", "xml:lang")
    children = [
        once("body", "body>", _BODY, "</body>"),
        tag("stanza-id", {"xmlns": ns.STANZA_ID}, "id", "by") + "/>",
        tag("origin-id", {"xmlns": ns.STANZA_ID}, "id") + "/>",
        tag("occupant-id", {"xmlns": ns.OCCUPANT_ID}, "id") + "/>",
        tag("delay", {"xmlns": ns.DELAY}, "stamp", "from") + "/>",
        *(
            rf"(?:{'|'.join(tags)}) xmlns='{re.escape(uri)}'/>"
            for uri, tags in _MEANINGLESS.items()
        ),
    ]
    number = {name: index for index, name in enumerate(names, 1)}
    wanted = (number["message from"], number["body"])
    some = rf"(?:<(?:{'|'.join(children)})){{1,{_MAX_CHILDREN}}}+"
    needed = "".join(rf"(?({group})|(?!))" for group in wanted)
    return _Shape(
        re.compile(rf"<{message}>{some}{needed}</message>"),
        tuple(
            number[name]
            for name in (
                "message from",
                "message id",
                "body",
                "origin-id id",
                "stanza-id id",
                "stanza-id by",
                "delay xmlns",
            )
        ),
    )
