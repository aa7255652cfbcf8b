"""Delayed delivery: tell history from live messages (XEP-0203, XEP-0091)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.nodes import ATTRIBUTES, CHILDREN, NAME, Node, full_name

_DELAY = full_name(ns.DELAY, "delay")

#: The names of delay elements.
DELAYS = frozenset({_DELAY, full_name(ns.LEGACY_DELAY, "x")})

#: XEP-0082 3.2, in UTC as XEP-0203 requires. Any other form is ignored.
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)", re.ASCII)
_LONGEST_STAMP = 40

#: Tolerated clock skew between server and bot, in seconds.
SKEW = 5.0


def delays(stanza: Node) -> list[Node]:
    """The delay elements of a stanza."""
    return [child for child in stanza[CHILDREN:] if child[NAME] in DELAYS]


def is_delayed(stanza: Node) -> bool:
    """Whether the stanza has a delay element, from anyone and with any stamp.

    Sender and stamp are not read. A forged delay only makes the bot do less, and
    to parse a stamp that a stranger wrote can take seconds.
    """
    return bool(delays(stanza))


def is_kept(stanza: Node, servers: set[str]) -> bool:
    """Whether the stanza claims to be an offline message that our server stored (XEP-0160).

    That is a delay ``from`` one of ``servers``, our server's names. Anyone can forge
    it, so it must have no effect other than a notice to the sender.
    """
    return any(delay[ATTRIBUTES].get("from") in servers for delay in delays(stanza))


def resent_stamp(stanza: Node, servers: set[str], now: float, max_age: float) -> float | None:
    """When our server got this live stanza, if it resends it after a resumption; else None.

    In seconds since 1970, by the server's clock. Ask this only of a stanza on a resumed
    stream (XEP-0198, section 5): there its only delay is our server's, ``from`` one of the
    names ``servers`` (Prosody writes our bare JID, ejabberd its domain). ``now`` is the wall
    clock. A stanza older than ``max_age`` seconds counts as history, resent or not.

    A client can forge such a delay in a new stanza: trust the stamp only within the outage.
    """
    found = delays(stanza)
    if len(found) != 1 or found[0][NAME] != _DELAY:
        return None
    attributes = found[0][ATTRIBUTES]
    stamp = attributes.get("stamp", "")
    if attributes.get("from") not in servers:
        return None
    if len(stamp) > _LONGEST_STAMP or not _STAMP.fullmatch(stamp):
        return None
    try:
        utc = datetime.fromisoformat(stamp.removesuffix("Z").removesuffix("+00:00"))
    except ValueError:
        return None
    said = utc.replace(tzinfo=UTC).timestamp()
    return said if -SKEW <= now - said <= max_age else None
