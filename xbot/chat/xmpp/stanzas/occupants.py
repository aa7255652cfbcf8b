"""Occupants of a room by nick: role, affiliation, real JID (XEP-0045)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from xbot.chat.xmpp.stanzas.addresses import read_address
from xbot.model.errors import InvalidJid

#: XEP-0045 5.1 and 5.2; any other value counts as "none".
_ROLES: dict[str | None, str] = {role: role for role in ("moderator", "participant", "visitor")}
_AFFILIATIONS: dict[str | None, str] = {
    name: name for name in ("owner", "admin", "member", "outcast")
}

#: Maximum number of occupants kept for one room. Further ones are unknown, and so have
#: no rights.
MAX_OCCUPANTS = 20_000

#: Maximum length of a JID in characters (RFC 7622); longer ones are dropped.
MAX_JID = 3071


class Occupant(NamedTuple):
    """An occupant's role, affiliation and real JID.

    ``address`` is the real JID as the room sent it, unparsed, or None in an anonymous
    room; ``identity`` parses it.
    """

    role: str = "none"
    affiliation: str = "none"
    address: str | None = None

    @property
    def identity(self) -> str | None:
        """The real bare JID; None if the room shows none, or not a valid one."""
        # Parsed on demand: in a room of thousands, few occupants ever write.
        if self.address is None:
            return None
        try:
            return read_address(self.address).bare_text
        except InvalidJid:
            return None


NOBODY = Occupant()


# Anonymous occupants share values: there are few combinations of role and affiliation.
@lru_cache(maxsize=32)
def _anonymous(role: str, affiliation: str) -> Occupant:
    return Occupant(role, affiliation)


def make_occupant(attribute: Callable[[str], str | None]) -> Occupant:
    """The occupant that the attributes of a presence's ``<item/>`` describe."""
    role = _ROLES.get(attribute("role"), "none")
    affiliation = _AFFILIATIONS.get(attribute("affiliation"), "none")
    address = attribute("jid")
    if not address or len(address) > MAX_JID:
        return _anonymous(role, affiliation)
    return Occupant(role, affiliation, address)


class Occupants:
    """The occupants of one room by nick; nicks are compared character by character."""

    def __init__(self) -> None:
        self._by_nick: dict[str, Occupant] = {}
        self._numbers: dict[str, str] = {}
        self._count = itertools.count(1)

    def __len__(self) -> int:
        return len(self._by_nick)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_nick)

    def get(self, nick: str) -> Occupant | None:
        """The occupant with that nick; None if there is none, or it is not known."""
        return self._by_nick.get(nick)

    def number(self, nick: str) -> str | None:
        """An id of this occupant while it has this nick, never reused; None if not there."""
        # Assigned on first use: only occupants who write need one.
        if nick not in self._numbers and nick in self._by_nick:
            self._numbers[nick] = str(next(self._count))
        return self._numbers.get(nick)

    def keep(self, nick: str, occupant: Occupant) -> None:
        """Store the occupant that the last presence described."""
        if len(self._by_nick) < MAX_OCCUPANTS or nick in self._by_nick:
            self._by_nick[nick] = occupant

    def forget(self, nick: str) -> None:
        """Remove the occupant with that nick."""
        self._by_nick.pop(nick, None)
        self._numbers.pop(nick, None)

    def rename(self, nick: str, new: str) -> None:
        """The occupant ``nick`` is called ``new`` from now on."""
        occupant = self._by_nick.get(nick)
        self.forget(nick)
        if occupant is not None:
            # An earlier occupant with the new nick has left, though no presence said so.
            self.forget(new)
            self.keep(new, occupant)

    def clear(self) -> None:
        """Remove all occupants."""
        self._by_nick.clear()
        self._numbers.clear()
