"""Presence in a room: what one stanza tells, and who is there (XEP-0045)."""

from __future__ import annotations

from attrs import frozen
from twisted.words.xish import domish

from xbot.errors import InvalidJid
from xbot.jid import Jid
from xbot.xmpp import ns
from xbot.xmpp.stanza import child, error_condition

#: XEP-0045 5.1 and 5.2; what is none of these counts as none.
_ROLES = ("moderator", "participant", "visitor")
_AFFILIATIONS = ("owner", "admin", "member", "outcast")

#: Occupants remembered for one room. Of those beyond it nothing is known, and
#: so they have no rights.
MAX_OCCUPANTS = 20_000

MAX_REASON = 200


@frozen
class Occupant:
    """Somebody in a room. ``jid`` is the real bare JID, where the room shows it to us."""

    role: str = "none"
    affiliation: str = "none"
    jid: Jid | None = None


@frozen
class RoomPresence:
    """What one presence from a room tells.

    ``error`` is the condition of a refusal, else None. ``nick`` is None when
    the room itself speaks. ``codes`` are the status codes of XEP-0045, section
    15.6; ``alternative`` is where a destroyed room sends its people.
    """

    nick: str | None
    available: bool
    error: str | None = None
    codes: frozenset[str] = frozenset()
    occupant: Occupant = Occupant()
    destroyed: bool = False
    alternative: str | None = None
    reason: str = ""

    @property
    def is_self(self) -> bool:
        """Whether it is about ourselves: status 110, and nothing else, says so."""
        return "110" in self.codes


def read_presence(stanza: domish.Element, nick: str | None) -> RoomPresence | None:
    """What a presence stanza from the occupant ``nick`` tells; None for none of the two kinds."""
    kind = stanza.getAttribute("type")
    if kind == "error":
        return RoomPresence(nick, False, error=error_condition(stanza))
    if kind not in (None, "unavailable"):
        return None
    available = kind is None
    x = child(stanza, ns.MUC_USER, "x")
    if x is None:
        return RoomPresence(nick, available)
    items = list(x.elements(ns.MUC_USER, "item"))
    destroy = child(x, ns.MUC_USER, "destroy")
    return RoomPresence(
        nick,
        available,
        codes=frozenset(
            status.getAttribute("code", "") for status in x.elements(ns.MUC_USER, "status")
        ),
        # Two items say two things, and so nothing.
        occupant=_read_item(items[0]) if len(items) == 1 else Occupant(),
        destroyed=destroy is not None,
        alternative=destroy.getAttribute("jid") if destroy is not None else None,
        reason=_reason(destroy if destroy is not None else items[0] if items else x),
    )


def _read_item(item: domish.Element) -> Occupant:
    role, affiliation = item.getAttribute("role"), item.getAttribute("affiliation")
    text = item.getAttribute("jid")
    try:
        jid = Jid.parse(text).bare if text else None
    except InvalidJid:
        jid = None
    return Occupant(
        role if role in _ROLES else "none",
        affiliation if affiliation in _AFFILIATIONS else "none",
        jid,
    )


def _reason(element: domish.Element) -> str:
    reason = child(element, ns.MUC_USER, "reason")
    return str(reason)[:MAX_REASON] if reason is not None else ""
