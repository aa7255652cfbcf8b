"""Who is in a room: one small value for each nick (XEP-0045)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from xbot.chat.xmpp.stanzas.addresses import read_address
from xbot.model.errors import InvalidJid

#: XEP-0045 5.1 and 5.2; what is none of these counts as none.
_ROLES: dict[str | None, str] = {role: role for role in ("moderator", "participant", "visitor")}
_AFFILIATIONS: dict[str | None, str] = {
    name: name for name in ("owner", "admin", "member", "outcast")
}

#: Occupants remembered for one room. Of those beyond it nothing is known, and
#: so they have no rights.
MAX_OCCUPANTS = 20_000

#: Characters of a JID that is kept as it came. None is longer.
MAX_JID = 3071


class Occupant(NamedTuple):
    """Somebody in a room.

    ``address`` is the real JID as the room shows it, if it does; ``identity`` reads it.
    """

    role: str = "none"
    affiliation: str = "none"
    address: str | None = None

    @property
    def identity(self) -> str | None:
        """The real bare JID, where the room shows one that is one."""
        # Read when it is asked for: in a room of thousands, few of them speak.
        if self.address is None:
            return None
        try:
            return read_address(self.address).bare_text
        except InvalidJid:
            return None


NOBODY = Occupant()


# There are so few that those whom the room does not show share one.
@lru_cache(maxsize=32)
def _anonymous(role: str, affiliation: str) -> Occupant:
    return Occupant(role, affiliation)


def make_occupant(attribute: Callable[[str], str | None]) -> Occupant:
    """Whom the attributes of the item of a presence describe, as far as they can be kept."""
    role = _ROLES.get(attribute("role"), "none")
    affiliation = _AFFILIATIONS.get(attribute("affiliation"), "none")
    address = attribute("jid")
    if not address or len(address) > MAX_JID:
        return _anonymous(role, affiliation)
    return Occupant(role, affiliation, address)


class Occupants:
    """The occupants of one room by nick. A nick is any text; no two that differ are one."""

    def __init__(self) -> None:
        self._by_nick: dict[str, Occupant] = {}
        self._numbers: dict[str, str] = {}
        self._count = itertools.count(1)

    def __len__(self) -> int:
        return len(self._by_nick)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_nick)

    def get(self, nick: str) -> Occupant | None:
        """Who is there under that nick, as far as is known."""
        return self._by_nick.get(nick)

    def number(self, nick: str) -> str | None:
        """The same for as long as one occupant is there, and never another one's."""
        # Given out when it is asked for, too: it is, for those who speak.
        if nick not in self._numbers and nick in self._by_nick:
            self._numbers[nick] = str(next(self._count))
        return self._numbers.get(nick)

    def keep(self, nick: str, occupant: Occupant) -> None:
        """This is what a presence told last."""
        if len(self._by_nick) < MAX_OCCUPANTS or nick in self._by_nick:
            self._by_nick[nick] = occupant

    def forget(self, nick: str) -> None:
        """Nobody is there under that nick."""
        self._by_nick.pop(nick, None)
        self._numbers.pop(nick, None)

    def rename(self, nick: str, new: str) -> None:
        """Who was there under ``nick`` is ``new`` from now on."""
        occupant = self._by_nick.get(nick)
        self.forget(nick)
        if occupant is not None:
            # Of whoever had the new nick before, nobody told that they left.
            self.forget(new)
            self.keep(new, occupant)

    def clear(self) -> None:
        """Nobody is there."""
        self._by_nick.clear()
        self._numbers.clear()
