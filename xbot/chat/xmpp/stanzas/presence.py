"""Parse a presence stanza from a room (XEP-0045); pure."""

from __future__ import annotations

from typing import NamedTuple

from twisted.words.xish import domish

from xbot.chat.xmpp.stanzas.occupants import NOBODY, Occupant, make_occupant
from xbot.chat.xmpp.stanzas.stanza import child, error_condition
from xbot.chat.xmpp.stanzas.status_codes import NEW_NICK, SELF_PRESENCE
from xbot.chat.xmpp.wire import ns

#: Maximum length of a reason or an address that others wrote, in characters; cut beyond.
MAX_REASON = 200


class RoomPresence(NamedTuple):
    """A presence stanza from a room, parsed.

    ``error`` is the error condition of a refusal, else None. ``nick`` is None when
    the room itself is the sender. ``codes`` are the status codes of XEP-0045, section
    15.6; ``new_nick`` is the occupant's new nick, with code 303; ``alternative`` is
    the room that a destroyed room names in its place.
    """

    nick: str | None
    available: bool
    error: str | None = None
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


def read_presence(stanza: domish.Element, nick: str | None) -> RoomPresence | None:
    """Parse a presence stanza from the occupant ``nick``.

    Returns None for a type other than available, unavailable or error.
    """
    kind = stanza.getAttribute("type")
    if kind == "error":
        return RoomPresence(nick, False, error=error_condition(stanza))
    if kind not in (None, "unavailable"):
        return None
    available = kind is None
    told = list(stanza.elements(ns.MUC_USER, "x"))
    if len(told) != 1:
        # Two <x/> are ambiguous: the occupant itself may have added one of them.
        return RoomPresence(nick, available)
    x = told[0]
    items = list(x.elements(ns.MUC_USER, "item"))
    item = items[0] if len(items) == 1 else None
    codes = frozenset(
        status.getAttribute("code", "") for status in x.elements(ns.MUC_USER, "status")
    )
    destroy = child(x, ns.MUC_USER, "destroy")
    said = next((_text(e) for e in (destroy, item) if e is not None and _text(e)), "")
    return RoomPresence(
        nick,
        available,
        codes=codes,
        occupant=make_occupant(item.getAttribute) if item is not None else NOBODY,
        new_nick=item.getAttribute("nick") if item is not None and NEW_NICK in codes else None,
        destroyed=destroy is not None,
        alternative=(destroy.getAttribute("jid") or "")[:MAX_REASON] or None
        if destroy is not None
        else None,
        reason=said,
    )


def _text(element: domish.Element) -> str:
    reason = child(element, ns.MUC_USER, "reason")
    return str(reason)[:MAX_REASON] if reason is not None else ""
