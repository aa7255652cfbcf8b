"""Occupants of a room by nick: role, affiliation, real JID (XEP-0045), occupant id (XEP-0421)."""

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

#: Maximum length of an occupant id in characters (XEP-0421, section 4.1); longer ones are dropped.
MAX_OCCUPANT_ID = 128

#: Maximum number of numbers of one room whose occupant ids became known later; the oldest are
#: forgotten first.
MAX_NUMBERED = 1000

#: Seconds for which an occupant is a newcomer.
NEW_FOR = 600.0

#: Marks a number that is an occupant id.
_ID = "id "


class Occupant(NamedTuple):
    """An occupant's role, affiliation, real JID and occupant id.

    ``address`` is the real JID as the room sent it, unparsed, or None in an anonymous
    room; ``identity`` parses it. ``id`` is the occupant's own claim unless the room announces
    such ids.
    """

    role: str = "none"
    affiliation: str = "none"
    address: str | None = None
    id: str | None = None

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


def make_occupant(attribute: Callable[[str], str | None], id: str | None = None) -> Occupant:
    """The occupant that the attributes of a presence's ``<item/>`` and its occupant id describe."""
    role = _ROLES.get(attribute("role"), "none")
    affiliation = _AFFILIATIONS.get(attribute("affiliation"), "none")
    address = attribute("jid")
    if not address or len(address) > MAX_JID:
        address = None
    if not id or len(id) > MAX_OCCUPANT_ID:
        if address is None:
            return _anonymous(role, affiliation)
        id = None
    return Occupant(role, affiliation, address, id)


class Occupants:
    """The occupants of one room by nick; nicks are compared character by character.

    An occupant's number lasts from entering the room until leaving it, through changes
    of the nick. After our own return to the room everyone has a new one. ``numbers`` gives
    them; what outlasts this object has to share it.

    Where the room announces occupant ids (:meth:`vouch`), these take the place of the numbers:
    they are those of a person, under each nick and after each return. Elsewhere they are
    ignored: any client can add one to its stanzas, and the room passes it on.
    """

    def __init__(self, numbers: Iterator[int] | None = None) -> None:
        self._new_numbers = itertools.count(1) if numbers is None else numbers
        self._by_nick: dict[str, Occupant] = {}
        self._numbers: dict[str, str] = {}
        self._nicks: dict[str, str] = {}
        # Whether the room announces occupant ids; None while it is not known.
        self._vouches: bool | None = False
        # Numbers from before it was known that ids count: by occupant id for this stay, and
        # their ids.
        self._numbered: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        # When the newcomers entered, mostly in that order.
        self._entered: dict[str, float] = {}
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
        """The number of this occupant, never another's; None if not there."""
        # Assigned on first use: only occupants who write need one.
        number = self._numbers.get(nick)
        if number is None and (occupant := self._by_nick.get(nick)) is not None:
            number = self._number_of_id(occupant.id) or str(next(self._new_numbers))
            self._numbers[nick] = number
            self._nicks[number] = nick
        return number

    def nick_of(self, number: str | None) -> str | None:
        """The nick that the occupant with this number has now; None if they left."""
        if number is None:
            return None
        nick = self._nicks.get(number)
        if nick is None and self._vouches:
            nick = self._nick_of_id(number)
        return nick

    def speaker(self, nick: str, id: str | None) -> tuple[Occupant, str | None]:
        """The occupant who wrote a message as ``nick``, and their number.

        ``id`` is the message's occupant id. If it is not that of the nick's holder, the message
        is from another person, of whom nothing else is known: a service may reorder stanzas.
        """
        occupant = self._by_nick.get(nick) or NOBODY
        if not self._vouches or id is None or len(id) > MAX_OCCUPANT_ID or id == occupant.id:
            return occupant, self.number(nick)
        return occupant if occupant.id is None else NOBODY, self._number_of_id(id)

    def is_certain(self, number: str | None) -> bool:
        """Whether this number is one person's whatever they do, and not one stay's."""
        return bool(self._vouches) and number is not None and self._id_of(number) is not None

    def may_tell_later(self, number: str | None) -> bool:
        """Whether this number is a person's, and the room has not told yet who they are."""
        return self._vouches is None and number is not None and self._id_of(number) is not None

    def vouch(self, vouches: bool | None) -> None:
        """Whether the room announces occupant ids (XEP-0421, section 2); None: not known yet."""
        if vouches and not self._vouches:
            # Who has a number already keeps it.
            for nick, number in self._numbers.items():
                if (id := self._by_nick[nick].id) is not None:
                    self._numbered.setdefault(id, number)
                    self._ids[number] = id
            while len(self._ids) > MAX_NUMBERED:
                del self._ids[next(iter(self._ids))]
        elif self._vouches and not vouches:
            self._numbers.clear()
            self._nicks.clear()
            self._numbered.clear()
        self._vouches = vouches

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

    def is_newcomer(self, nick: str, now: float) -> bool:
        """Whether they entered less than NEW_FOR seconds ago, or are not seen in the room."""
        entered = self._entered.get(nick)
        return nick not in self._by_nick or (entered is not None and now - entered < NEW_FOR)

    def keep(self, nick: str, occupant: Occupant, entered: float | None = None) -> None:
        """Store the occupant that the last presence described.

        ``entered`` is the time if such a presence means that an unknown occupant enters; None
        while the room tells who is there already.
        """
        if entered is not None and nick not in self._by_nick:
            self._got_newcomer(nick, entered)
        if nick in self._numbers and self._by_nick[nick][2:] != occupant[2:]:
            self._check_person(nick, occupant)
        if len(self._by_nick) < MAX_OCCUPANTS or nick in self._by_nick:
            self._by_nick[nick] = occupant

    def forget(self, nick: str) -> None:
        """Remove the occupant with that nick."""
        self._by_nick.pop(nick, None)
        self._entered.pop(nick, None)
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
        entered = self._entered.get(nick)
        self.forget(nick)
        if occupant is not None:
            # An earlier occupant with the new nick has left, though no presence said so.
            self.forget(new)
            self.keep(new, occupant, entered)
            if number is not None:
                self._numbers[new] = number
                self._nicks[number] = new

    def clear(self) -> None:
        """Remove all occupants."""
        self._by_nick.clear()
        self._numbers.clear()
        self._nicks.clear()
        self._outcasts.clear()
        self._entered.clear()
        self._numbered.clear()
        self._vouches = False

    def _got_newcomer(self, nick: str, now: float) -> None:
        while self._entered and now - next(iter(self._entered.values())) >= NEW_FOR:
            del self._entered[next(iter(self._entered))]
        if len(self._by_nick) < MAX_OCCUPANTS:
            self._entered[nick] = now

    def _check_person(self, nick: str, occupant: Occupant) -> None:
        # A service may let a nick change hands in one presence. (Another device of the
        # same person may stay.)
        holder = self._by_nick[nick]
        before, now = holder.identity, occupant.identity
        has_other_address = before is not None and now is not None and before != now
        if has_other_address or (self._vouches and holder.id != occupant.id):
            self._forget_number(nick)

    def _forget_number(self, nick: str) -> None:
        number = self._numbers.pop(nick, None)
        # Several nicks may be one person's, and then have one number.
        if number is not None and self._nicks.get(number) == nick:
            del self._nicks[number]

    def _number_of_id(self, id: str | None) -> str | None:
        """The number of the person with this occupant id; None if ids do not count here."""
        if not self._vouches or id is None:
            return None
        return self._numbered.get(id) or f"{_ID}{id}"

    def _id_of(self, number: str) -> str | None:
        """The occupant id that has this number; None if it is the number of a stay."""
        if number.startswith(_ID):
            return number[len(_ID) :]
        return self._ids.get(number)

    def _nick_of_id(self, number: str) -> str | None:
        """A nick of the person whose occupant id has this number."""
        id = self._id_of(number)
        if id is None:
            return None
        return next((nick for nick, each in self._by_nick.items() if each.id == id), None)
