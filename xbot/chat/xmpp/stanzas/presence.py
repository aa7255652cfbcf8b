"""Parse presence stanzas of rooms (XEP-0045), from the parser's nodes; pure."""

from __future__ import annotations

from itertools import dropwhile, takewhile
from typing import NamedTuple

from xbot.chat.xmpp.stanzas.occupants import NOBODY, Occupant, make_occupant
from xbot.chat.xmpp.stanzas.stanza import StanzaError, read_error
from xbot.chat.xmpp.stanzas.status_codes import NEW_NICK, SELF_PRESENCE
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.nodes import (
    ATTRIBUTES,
    CHILDREN,
    NAME,
    Node,
    child_of,
    full_name,
)

PRESENCE = full_name(ns.CLIENT, "presence")

_X = full_name(ns.MUC_USER, "x")
_OCCUPANT_ID = full_name(ns.OCCUPANT_ID, "occupant-id")
_ITEM = full_name(ns.MUC_USER, "item")
_STATUS = full_name(ns.MUC_USER, "status")
_DESTROY = full_name(ns.MUC_USER, "destroy")
_REASON = full_name(ns.MUC_USER, "reason")

#: Maximum length of a reason or an address that others wrote, in characters; cut beyond.
MAX_REASON = 200


class RoomPresence(NamedTuple):
    """A presence stanza from a room, parsed.

    ``error`` is the error of a refusal, else None. ``nick`` is None when
    the room itself is the sender. ``codes`` are the status codes of XEP-0045, section
    15.6; ``new_nick`` is the occupant's new nick, with code 303; ``alternative`` is
    the room that a destroyed room names in its place.
    """

    nick: str | None
    available: bool
    error: StanzaError | None = None
    codes: frozenset[str] = frozenset()
    occupant: Occupant = NOBODY
    new_nick: str | None = None
    destroyed: bool = False
    alternative: str | None = None
    reason: str = ""

    @property
    def is_self(self) -> bool:
        """Whether it is self-presence: only status code 110 says so."""
        return SELF_PRESENCE in self.codes

    @property
    def is_rename(self) -> bool:
        """Whether the occupant changes its nick (XEP-0045, section 7.6)."""
        return NEW_NICK in self.codes and not self.available


def read_presence(stanza: Node, nick: str | None) -> RoomPresence | None:
    """Parse a presence stanza from the occupant ``nick``.

    Returns None for a type other than available, unavailable or error.
    """
    kind = stanza[ATTRIBUTES].get("type")
    if kind == "error":
        return RoomPresence(nick, False, error=read_error(stanza))
    if kind not in (None, "unavailable"):
        return None
    available = kind is None
    x: Node | None = None
    occupant_ids: list[Node] = []
    for child in stanza[CHILDREN:]:
        if child[NAME] == _X:
            if x is not None:
                # Two <x/> are ambiguous: the occupant itself may have added one of them.
                return RoomPresence(nick, available)
            x = child
        elif child[NAME] == _OCCUPANT_ID:
            occupant_ids.append(child)
    if x is None:
        return RoomPresence(nick, available)
    items: list[Node] = []
    codes: list[str] = []
    destroy: Node | None = None
    for child in x[CHILDREN:]:
        name = child[NAME]
        if name == _ITEM:
            items.append(child)
        elif name == _STATUS:
            codes.append(child[ATTRIBUTES].get("code", ""))
        elif name == _DESTROY and destroy is None:
            destroy = child
    item = items[0] if len(items) == 1 else None
    occupant_id = occupant_ids[0][ATTRIBUTES].get("id") if len(occupant_ids) == 1 else None
    alternative = destroy[ATTRIBUTES].get("jid", "") if destroy is not None else ""
    return RoomPresence(
        nick,
        available,
        None,
        frozenset(codes),
        make_occupant(item[ATTRIBUTES].get, occupant_id) if item is not None else NOBODY,
        item[ATTRIBUTES].get("nick") if item is not None and NEW_NICK in codes else None,
        destroy is not None,
        alternative[:MAX_REASON] or None,
        _reason(destroy) or _reason(item),
    )


def status_codes_of(stanza: Node) -> frozenset[str]:
    """The status codes in a message or presence of a room (XEP-0045, section 15.6)."""
    x = child_of(stanza, _X)
    children = () if x is None else x[CHILDREN:]
    return frozenset(
        child[ATTRIBUTES].get("code", "") for child in children if child[NAME] == _STATUS
    )


def _reason(element: Node | None) -> str:
    if element is None or len(element) == CHILDREN:
        return ""
    reason = child_of(element, _REASON)
    if reason is None:
        return ""
    # The text before the first element in it, or behind it.
    text = dropwhile(_is_element, reason[CHILDREN:])
    return "".join(takewhile(lambda piece: not _is_element(piece), text))[:MAX_REASON]


def _is_element(child: object) -> bool:
    return not isinstance(child, str)
