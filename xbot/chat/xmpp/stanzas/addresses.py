"""Addresses on stanzas, each read once: the same few people speak all day."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from xbot.model.jid import CACHE_SIZE, Jid


class Address(NamedTuple):
    """A JID with its bare form, and the texts of both."""

    jid: Jid
    bare: Jid
    text: str
    bare_text: str


# Bounded: strangers choose JIDs.
@lru_cache(maxsize=CACHE_SIZE)
def read_address(text: str) -> Address:
    """The address that a stanza bears; :class:`~xbot.model.errors.InvalidJid` when it is none."""
    jid = Jid.parse(text)
    return Address(jid, jid.bare, str(jid), str(jid.bare))
