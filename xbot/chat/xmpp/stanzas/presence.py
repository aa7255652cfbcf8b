"""What one presence from a room tells (XEP-0045); pure."""

from __future__ import annotations

from typing import NamedTuple

from twisted.words.xish import domish

from xbot.chat.xmpp.stanzas.occupants import NOBODY, Occupant, make_occupant
from xbot.chat.xmpp.stanzas.stanza import child, error_condition
from xbot.chat.xmpp.wire import ns

#: What others wrote is cut to this many characters.
MAX_REASON = 200


class RoomPresence(NamedTuple):
    """What one presence from a room tells.

    ``error`` is the condition of a refusal, else None. ``nick`` is None when
    the room itself speaks. ``codes`` are the status codes of XEP-0045, section
    15.6; ``new_nick`` is whom the occupant is from now on, with code 303;
    ``alternative`` is where a destroyed room sends its people.
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
        """Whether it is about ourselves: status 110, and nothing else, says so."""
        return "110" in self.codes

    @property
    def is_rename(self) -> bool:
        """Whether the occupant goes on under another nick (XEP-0045, section 7.6)."""
        return "303" in self.codes and not self.available


def read_presence(stanza: domish.Element, nick: str | None) -> RoomPresence | None:
    """What a presence stanza from the occupant ``nick`` tells; None for none of the two kinds."""
    kind = stanza.getAttribute("type")
    if kind == "error":
        return RoomPresence(nick, False, error=error_condition(stanza))
    if kind not in (None, "unavailable"):
        return None
    available = kind is None
    told = list(stanza.elements(ns.MUC_USER, "x"))
    if len(told) != 1:
        # Two say two things, and so nothing: one of them may be the occupant's own.
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
        new_nick=item.getAttribute("nick") if item is not None and "303" in codes else None,
        destroyed=destroy is not None,
        alternative=(destroy.getAttribute("jid") or "")[:MAX_REASON] or None
        if destroy is not None
        else None,
        reason=said,
    )


def _text(element: domish.Element) -> str:
    reason = child(element, ns.MUC_USER, "reason")
    return str(reason)[:MAX_REASON] if reason is not None else ""
