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

#: Maximum number of banned people remembered for one room; the oldest are forgotten first.
MAX_OUTCASTS = 1000

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
    """The occupants of one room by nick; nicks are compared character by character.

    An occupant's number lasts from entering the room until leaving it, through changes
    of the nick. After our own return to the room everyone has a new one. ``numbers`` gives
    them; what outlasts this object has to share it.
    """

    def __init__(self, numbers: Iterator[int] | None = None) -> None:
        self._new_numbers = itertools.count(1) if numbers is None else numbers
        self._by_nick: dict[str, Occupant] = {}
        self._numbers: dict[str, str] = {}
        self._nicks: dict[str, str] = {}
        # Real bare JIDs, in the order of the bans.
        self._outcasts: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._by_nick)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_nick)

    def get(self, nick: str) -> Occupant | None:
        """The occupant with that nick; None if there is none, or it is not known."""
        return self._by_nick.get(nick)

    def number(self, nick: str) -> str | None:
        """The id of this occupant for this stay, never reused; None if not there."""
        # Assigned on first use: only occupants who write need one.
        if nick not in self._numbers and nick in self._by_nick:
            number = self._numbers[nick] = str(next(self._new_numbers))
            self._nicks[number] = nick
        return self._numbers.get(nick)

    def nick_of(self, number: str | None) -> str | None:
        """The nick that the occupant with this id has now; None if they left."""
        return None if number is None else self._nicks.get(number)

    def nick_of_person(self, identity: str) -> str | None:
        """A nick of the person with this real bare JID; None if they are not seen there."""
        for nick, occupant in self._by_nick.items():
            if occupant.address is not None and occupant.identity == identity:
                return nick
        return None

    def affiliation_of(self, number: str | None, identity: str | None) -> str:
        """The affiliation now: of this occupant, or else of this person; "none" if not there.

        It is "outcast" for a person whom the room banned during our stay.
        """
        nick = self.nick_of(number)
        if nick is None and identity is not None:
            nick = self.nick_of_person(identity)
            if nick is None and identity in self._outcasts:
                return "outcast"
        return NOBODY.affiliation if nick is None else self._by_nick[nick].affiliation

    def keep(self, nick: str, occupant: Occupant) -> None:
        """Store the occupant that the last presence described."""
        if nick in self._numbers and self._by_nick[nick].address != occupant.address:
            self._check_person(nick, occupant)
        if len(self._by_nick) < MAX_OCCUPANTS or nick in self._by_nick:
            self._by_nick[nick] = occupant

    def forget(self, nick: str) -> None:
        """Remove the occupant with that nick."""
        self._by_nick.pop(nick, None)
        self._forget_number(nick)

    def ban(self, identity: str | None) -> None:
        """The room banned the person with this real bare JID."""
        if identity is not None:
            self._outcasts[identity] = None
            if len(self._outcasts) > MAX_OUTCASTS:
                del self._outcasts[next(iter(self._outcasts))]

    def rename(self, nick: str, new: str) -> None:
        """The occupant ``nick`` is called ``new`` from now on."""
        occupant, number = self._by_nick.get(nick), self._numbers.get(nick)
        self.forget(nick)
        if occupant is not None:
            # An earlier occupant with the new nick has left, though no presence said so.
            self.forget(new)
            self.keep(new, occupant)
            if number is not None:
                self._numbers[new] = number
                self._nicks[number] = new

    def clear(self) -> None:
        """Remove all occupants."""
        self._by_nick.clear()
        self._numbers.clear()
        self._nicks.clear()
        self._outcasts.clear()

    def _check_person(self, nick: str, occupant: Occupant) -> None:
        # A service may let a nick change hands in one presence. (Another device of the
        # same person may stay.)
        before, now = self._by_nick[nick].identity, occupant.identity
        if before is not None and now is not None and before != now:
            self._forget_number(nick)

    def _forget_number(self, nick: str) -> None:
        number = self._numbers.pop(nick, None)
        if number is not None:
            del self._nicks[number]
