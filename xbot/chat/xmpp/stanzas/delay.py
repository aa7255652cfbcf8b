"""What is history, and what is live (XEP-0203, XEP-0091)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from twisted.words.xish import domish

from xbot.chat.xmpp.wire import ns

_DELAYS = {(ns.DELAY, "delay"), (ns.LEGACY_DELAY, "x")}

#: XEP-0082 3.2, in UTC as XEP-0203 wants it. Anything else is not worth reading.
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)", re.ASCII)
_LONGEST_STAMP = 40

#: Clocks differ by so many seconds, without anyone being to blame.
SKEW = 5.0


def delays(stanza: domish.Element) -> list[domish.Element]:
    """All that say that this was said earlier."""
    return [child for child in stanza.elements() if (child.uri, child.name) in _DELAYS]


def is_delayed(stanza: domish.Element) -> bool:
    """Whether somebody says that this was said earlier.

    Who says it and when it was does not matter, and is not looked at: a delay
    that anyone could forge only ever makes the bot do less, and reading a stamp
    that a stranger wrote can take seconds.
    """
    return bool(delays(stanza))


def is_kept(stanza: domish.Element, servers: set[str]) -> bool:
    """Whether our server says that it kept this for us (XEP-0160).

    It is one of the names ``servers``; anybody can write that, so that nothing
    may follow from it but a word to the sender.
    """
    return any(delay.getAttribute("from") in servers for delay in delays(stanza))


def is_resent(stanza: domish.Element, servers: set[str], now: float, max_age: float) -> bool:
    """Whether our server sends this again after a resumption, and it is fresh.

    Only to be asked of a stanza on a resumed stream (XEP-0198, section 5): then
    its one delay is our server's, which is one of the names ``servers``
    (Prosody writes our own bare JID, ejabberd its domain). ``now`` is the wall
    clock's; older than ``max_age`` seconds is past all the same.
    """
    found = delays(stanza)
    if len(found) != 1 or found[0].uri != ns.DELAY or found[0].getAttribute("from") not in servers:
        return False
    stamp = found[0].getAttribute("stamp", "")
    if len(stamp) > _LONGEST_STAMP or not _STAMP.fullmatch(stamp):
        return False
    try:
        said = datetime.fromisoformat(stamp.removesuffix("Z").removesuffix("+00:00"))
    except ValueError:
        return False
    age = now - said.replace(tzinfo=UTC).timestamp()
    return -SKEW <= age <= max_age
