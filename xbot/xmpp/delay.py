"""What is history, and what is live (XEP-0203, XEP-0091)."""

from __future__ import annotations

from twisted.words.xish import domish

from xbot.xmpp import ns

_DELAYS = {(ns.DELAY, "delay"), (ns.LEGACY_DELAY, "x")}


def is_delayed(stanza: domish.Element) -> bool:
    """Whether somebody says that this was said earlier.

    Who says it and when it was does not matter, and is not looked at: a delay
    that anyone could forge only ever makes the bot do less, and reading a stamp
    that a stranger wrote can take seconds.
    """
    return any((child.uri, child.name) in _DELAYS for child in stanza.elements())
