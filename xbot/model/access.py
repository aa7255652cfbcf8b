"""Who may use a responder, and where: rights come from real bare JIDs; without one there are none.

What a room says of people counts only where the ini names them by it.
"""

from __future__ import annotations

from attrs import frozen

from xbot.model.errors import InvalidJid
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.model.people import NOBODY, People

#: The words that name people by their affiliation with the room spoken in.
#: It is what the room says; its owners can give it to anyone.
ROOM_WORDS = {
    "room-owners": frozenset({"owner"}),
    "room-admins": frozenset({"owner", "admin"}),
    "room-members": frozenset({"owner", "admin", "member"}),
}


@frozen
class Whom:
    """Whom a rule names: people, and affiliations with the room that is spoken in."""

    people: People = NOBODY
    affiliations: frozenset[str] = frozenset()

    def includes(self, message: Message) -> bool:
        """Whether whoever said this is one of them."""
        if message.room is not None and message.affiliation in self.affiliations:
            return True
        identity = identity_of(message)
        return identity is not None and self.people.includes(identity)


@frozen
class Access:
    """The rules of one responder; by default it is for everyone, everywhere.

    ``allow`` is None for everyone. ``deny`` goes before it, and keeps out those
    whose identity is not known as well: any of them might be meant. ``rooms``
    are bare addresses, None for all; what is not said for a whole room to read
    needs ``direct``.
    """

    allow: Whom | None = None
    deny: Whom | None = None
    rooms: frozenset[str] | None = None
    direct: bool = True

    def is_here(self, message: Message) -> bool:
        """Whether the responder answers at all where this was said."""
        return self.absence(message) is None

    def absence(self, message: Message) -> str | None:
        """Why the responder does not answer where this was said; None where it does."""
        if not message.is_public and not self.direct:
            return "it does not answer in private (direct = no)"
        if self.rooms is None or message.room is None or message.room in self.rooms:
            return None
        return "it does not answer in this room (rooms)"

    def allows(self, message: Message) -> bool:
        """Whether it is for whoever said this."""
        return self.objection(message) is None

    def objection(self, message: Message) -> str | None:
        """Why it is not for whoever said this; None when it is."""
        who = message.identity if identity_of(message) is not None else None
        if self.deny is not None:
            if who is None:
                return "who this is cannot be known here, and deny might mean them"
            if self.deny.includes(message):
                return f"deny includes {who}"
        if self.allow is None or self.allow.includes(message):
            return None
        if who is None:
            return "who this is cannot be known here, and allow does not include everyone"
        return f"allow does not include {who}"


EVERYONE = Access()


def identity_of(message: Message) -> Jid | None:
    """The real bare JID of who said it, where it is known for certain."""
    if message.identity is None:
        return None
    try:
        return Jid.parse(message.identity)
    except InvalidJid:
        return None  # of an adapter whose addresses are no JIDs


def refusal(name: str, message: Message) -> str:
    """What somebody is told who may not use the responder of that name."""
    if message.identity is None:
        return f"{name} is not for everyone, and I cannot see here who you are; ask me directly."
    return f"{name} is not for you, {message.speaker}."
