"""What one glance tells of a stanza from a room: the one place where they are told apart cheaply.

Nearly all that a bot hears is plain: one body, said by an occupant, with children
that mean nothing to it; or the presence of somebody who is there. That is read
off the parser's lists. For everything else these functions give None, and the
stanza goes the long way (:func:`xbot.chat.xmpp.stanzas.stanza.read_message`,
:func:`xbot.chat.xmpp.stanzas.presence.read_presence`), whose rules these are.
"""

from __future__ import annotations

from typing import NamedTuple

from xbot.chat.xmpp.stanzas.addresses import Address, read_address
from xbot.chat.xmpp.stanzas.occupants import Occupant, make_occupant
from xbot.chat.xmpp.stanzas.presence import RoomPresence
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.nodes import ATTRIBUTES, CHILDREN, NAME, Node, full_name
from xbot.model.errors import InvalidJid
from xbot.model.jid import check_resource

MESSAGE = full_name(ns.CLIENT, "message")
PRESENCE = full_name(ns.CLIENT, "presence")

_X = full_name(ns.MUC_USER, "x")
_ITEM = full_name(ns.MUC_USER, "item")
_STATUS = full_name(ns.MUC_USER, "status")
_BODY = full_name(ns.CLIENT, "body")
_SUBJECT = full_name(ns.CLIENT, "subject")
_STANZA_ID = full_name(ns.STANZA_ID, "stanza-id")
_ORIGIN_ID = full_name(ns.STANZA_ID, "origin-id")

_DELAYS = {full_name(ns.DELAY, "delay"), full_name(ns.LEGACY_DELAY, "x")}

#: Children of which the long way decides: subjects, corrections, invitations.
_LONG_WAY = {
    _SUBJECT,
    full_name(ns.CORRECTION, "replace"),
    full_name(ns.CONFERENCE, "x"),
    _X,
}

#: Children with which a message is more than a subject.
_NO_SUBJECT = {_BODY, full_name(ns.CONFERENCE, "x"), _X}

#: All children that are looked at; whatever else there is means nothing to us.
_LOOKED_AT = {_BODY, _STANZA_ID, _ORIGIN_ID} | _DELAYS | _LONG_WAY


class Glance(NamedTuple):
    """A plain message in a room: a :class:`~xbot.chat.xmpp.stanzas.stanza.Spoken` that costs less.

    ``stanza_id`` is the one that the room gave it, if it gave one.
    """

    sender: Address
    id: str | None
    body: str
    delayed: bool
    origin_id: str | None
    stanza_id: str | None


class Sighting(NamedTuple):
    """The plain presence of an occupant: the room's bare JID, and what it tells."""

    room: str
    presence: RoomPresence


class Subject(NamedTuple):
    """The subject of a room, which ends its history: the room's bare JID, and no more."""

    room: str


def glance_at_message(node: Node) -> Glance | None:
    """What a plain message in a room says; None for all else."""
    attributes = node[ATTRIBUTES]
    if attributes.get("type") != "groupchat":
        return None
    try:
        sender = read_address(attributes["from"])
    except (KeyError, InvalidJid):
        return None
    if sender.jid is sender.bare:
        # The room itself speaks.
        return None
    body: str | None = None
    origin_id: str | None = None
    stanza_id: str | None = None
    origins = stanza_ids = 0
    delayed = False
    for child in node[CHILDREN:]:
        name = child[NAME]
        if name not in _LOOKED_AT:
            # Text between the children is among it: a piece of it is no such name.
            continue
        if name is _BODY or name == _BODY:
            if body is not None:
                return None
            pieces = child[CHILDREN:]
            if len(pieces) == 1 and isinstance(pieces[0], str):
                body = pieces[0]
            elif all(isinstance(piece, str) for piece in pieces):
                body = "".join(pieces)
            else:
                return None
        elif name == _STANZA_ID:
            if child[ATTRIBUTES].get("by") == sender.bare_text:
                stanza_id = child[ATTRIBUTES].get("id")
                stanza_ids += 1
        elif name == _ORIGIN_ID:
            if not origins:
                origin_id = child[ATTRIBUTES].get("id")
            origins += 1
        elif name in _DELAYS:
            delayed = True
        else:
            return None
    if body is None:
        return None
    return Glance(
        sender,
        attributes.get("id"),
        body,
        delayed,
        origin_id,
        # Two that bear the room's name say nothing.
        stanza_id if stanza_ids == 1 else None,
    )


def glance_at_subject(node: Node) -> Subject | None:
    """The room whose subject a message tells, if it tells no more; None for all else."""
    attributes = node[ATTRIBUTES]
    if attributes.get("type") != "groupchat":
        return None
    names = {child[NAME] for child in node[CHILDREN:]}
    if _SUBJECT not in names or not names.isdisjoint(_NO_SUBJECT):
        return None
    try:
        return subject_from(attributes["from"])
    except (KeyError, InvalidJid):
        return None


def glance_at_presence(node: Node) -> Sighting | None:
    """What the plain presence of an occupant tells; None for all else."""
    attributes = node[ATTRIBUTES]
    if "type" in attributes:
        return None
    x = None
    for child in node[CHILDREN:]:
        if child[NAME] == _X:
            if x is not None:
                return None
            x = child
    if x is None:
        return None
    # One item, with nothing in it, and status codes are all that x may hold.
    item = None
    codes: frozenset[str] = frozenset()
    for child in x[CHILDREN:]:
        name = child[NAME]
        if name == _ITEM and item is None and len(child) == CHILDREN:
            item = child[ATTRIBUTES]
        elif name == _STATUS:
            codes |= {child[ATTRIBUTES].get("code", "")}
        else:
            return None
    if item is None:
        return None
    try:
        return sighting(attributes.get("from", ""), codes, make_occupant(item.get))
    except InvalidJid:
        return None


def subject_from(address: str) -> Subject | None:
    """The subject that the room, or an occupant with this address, set; None if neither can be.

    :raises InvalidJid: when it is no address.
    """
    bare, slash, nick = address.partition("/")
    if slash and not nick:
        return None
    check_resource(address, nick)
    return Subject(read_address(bare).bare_text)


def sighting(address: str, codes: frozenset[str], occupant: Occupant) -> Sighting | None:
    """Of the occupant with this address, with these status codes; None where it is none's.

    :raises InvalidJid: when it is no address.
    """
    # Not read as a whole: of thousands, few will ever speak.
    bare, _, nick = address.partition("/")
    if not nick:
        return None
    room = read_address(bare).bare_text
    return Sighting(room, RoomPresence(check_resource(address, nick), True, None, codes, occupant))
