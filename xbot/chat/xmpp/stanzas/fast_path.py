"""Fast path for plain room stanzas: read from the parser's nodes, without ``domish`` elements.

Nearly all stanzas that a bot receives are plain: a groupchat message of an occupant
with one body and children that the bot ignores, or the available presence of an
occupant. These functions read them from the parser's nodes. For every other stanza
they return None, and it takes the slow path
(:func:`xbot.chat.xmpp.stanzas.stanza.read_message`,
:func:`xbot.chat.xmpp.stanzas.presence.read_presence`). The rules here must agree with
the rules there.
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

#: Children that need the slow path: subjects, corrections, invitations.
_SLOW_PATH = {
    _SUBJECT,
    full_name(ns.CORRECTION, "replace"),
    full_name(ns.CONFERENCE, "x"),
    _X,
}

#: Children that a message with only a subject does not have.
_NO_SUBJECT = {_BODY, full_name(ns.CONFERENCE, "x"), _X}

#: The children that are read; all others are ignored.
_READ = {_BODY, _STANZA_ID, _ORIGIN_ID} | _DELAYS | _SLOW_PATH


class Glance(NamedTuple):
    """A plain groupchat message: a cheaper :class:`~xbot.chat.xmpp.stanzas.stanza.Spoken`.

    ``stanza_id`` is the one that the room assigned (XEP-0359), or None.
    """

    sender: Address
    id: str | None
    body: str
    delayed: bool
    origin_id: str | None
    stanza_id: str | None


class Sighting(NamedTuple):
    """The plain available presence of an occupant: the room's bare JID, and its content."""

    room: str
    presence: RoomPresence


class Subject(NamedTuple):
    """A subject message, which ends a room's history: holds the room's bare JID only."""

    room: str


def glance_at_message(node: Node) -> Glance | None:
    """Read a plain groupchat message; None for any other stanza."""
    attributes = node[ATTRIBUTES]
    if attributes.get("type") != "groupchat":
        return None
    try:
        sender = read_address(attributes["from"])
    except (KeyError, InvalidJid):
        return None
    if sender.jid is sender.bare:
        # Sent by the room itself.
        return None
    body: str | None = None
    origin_id: str | None = None
    stanza_id: str | None = None
    origins = stanza_ids = 0
    delayed = False
    for child in node[CHILDREN:]:
        name = child[NAME]
        if name not in _READ:
            # Text between the children lands here, too: its first character is no name.
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
        # Two stanza ids in the room's name are ambiguous: trust neither.
        stanza_id if stanza_ids == 1 else None,
    )


def glance_at_subject(node: Node) -> Subject | None:
    """Read a groupchat message with only a subject; None for any other stanza."""
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
    """Read a plain available presence of an occupant; None for any other stanza."""
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
    # <x/> may hold one empty item and status codes, nothing else.
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
    """The subject message of a room, sent from this room or occupant JID; None for "room/".

    :raises InvalidJid: when it is not a JID.
    """
    bare, slash, nick = address.partition("/")
    if slash and not nick:
        return None
    check_resource(address, nick)
    return Subject(read_address(bare).bare_text)


def sighting(address: str, codes: frozenset[str], occupant: Occupant) -> Sighting | None:
    """The presence of the occupant with this JID and these status codes; None without a nick.

    :raises InvalidJid: when it is not a JID.
    """
    # The full JID is not parsed and cached: of thousands of occupants, few ever write.
    bare, _, nick = address.partition("/")
    if not nick:
        return None
    room = read_address(bare).bare_text
    return Sighting(room, RoomPresence(check_resource(address, nick), True, None, codes, occupant))
