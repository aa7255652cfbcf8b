"""LRU cache of parsed JIDs: the same few senders appear on most stanzas."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from xbot.model.jid import CACHE_SIZE, Jid


class Address(NamedTuple):
    """A JID, its bare JID, and both as text."""

    jid: Jid
    bare: Jid
    text: str
    bare_text: str


# Bounded: strangers choose JIDs.
@lru_cache(maxsize=CACHE_SIZE)
def read_address(text: str) -> Address:
    """Parse the ``from`` of a stanza, cached.

    :raises xbot.model.errors.InvalidJid: when it is not a JID.
    """
    jid = Jid.parse(text)
    return Address(jid, jid.bare, str(jid), str(jid.bare))
