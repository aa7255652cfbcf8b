"""LRU cache of parsed JIDs: the same few senders appear on most stanzas."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from xbot.model.errors import InvalidJid
from xbot.model.jid import CACHE_SIZE, Jid, check_resource


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


def read_occupant(text: str) -> tuple[str, str | None]:
    """Parse the ``from`` of a stanza as an occupant's JID: (bare JID of the room, nick or None).

    Only the room is cached: of thousands of occupants, few ever write.

    :raises xbot.model.errors.InvalidJid: when it is not a JID.
    """
    bare, slash, nick = text.partition("/")
    if slash and not nick:
        raise InvalidJid(text[:64], "nothing follows the slash")
    room = read_address(bare).bare_text
    return room, check_resource(text, nick) if nick else None
