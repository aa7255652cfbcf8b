"""Access rules: who may use a responder, and where.

Rights belong to real bare JIDs. A sender whose real JID is hidden has none of them.
The room's affiliations count only where the ini names people by one (``room-admins``).
"""

from __future__ import annotations

from attrs import field, frozen

from xbot.model.errors import InvalidJid
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.model.people import NOBODY, People

#: Words in ``allow`` and ``deny`` that stand for affiliations (XEP-0045) with the room of
#: the message. The room reports them; its owners can give them to anyone.
ROOM_WORDS = {
    "room-owners": frozenset({"owner"}),
    "room-admins": frozenset({"owner", "admin"}),
    "room-members": frozenset({"owner", "admin", "member"}),
}


@frozen
class AccessList:
    """The people that ``allow`` or ``deny`` names: by JID, domain, or affiliation with the room.

    ``names`` are those of the ini, groups included, for a summary.
    """

    people: People = NOBODY
    affiliations: frozenset[str] = frozenset()
    names: tuple[str, ...] = field(default=(), eq=False, kw_only=True)

    def includes(self, message: Message) -> bool:
        """Whether the sender of ``message`` is among them."""
        if message.room is not None and message.affiliation in self.affiliations:
            return True
        identity = identity_of(message)
        return identity is not None and self.people.includes(identity)


@frozen
class Access:
    """The access rules of one responder; by default everyone may use it everywhere.

    ``allow`` is None for everyone. ``deny`` takes precedence over it, and also
    refuses senders whose identity is not known: ``deny`` might name any of them. A person
    whom the room of the message has banned may use nothing there.
    ``rooms`` are bare addresses, None for all rooms. ``direct`` permits private
    messages.
    """

    allow: AccessList | None = None
    deny: AccessList | None = None
    rooms: frozenset[str] | None = None
    direct: bool = True

    def is_here(self, message: Message) -> bool:
        """Whether the responder answers where ``message`` was said: this room, or in private."""
        return self.absence(message) is None

    def absence(self, message: Message) -> str | None:
        """Why the responder does not answer where ``message`` was said; None if it does."""
        if not message.is_public and not self.direct:
            return "it does not answer in private (direct = no)"
        if self.rooms is None or message.room is None or message.room in self.rooms:
            return None
        return "it does not answer in this room (rooms)"

    def allows(self, message: Message) -> bool:
        """Whether the sender of ``message`` may use the responder."""
        return self.objection(message) is None

    def objection(self, message: Message) -> str | None:
        """Why the sender of ``message`` may not use the responder; None if they may."""
        if message.affiliation == "outcast":
            # Of its own room only: elsewhere the same person has another affiliation.
            return f"the room has banned {message.identity or 'the sender'}"
        if self.allow is None and self.deny is None:
            # For everyone, as most are: no address has to be read.
            return None
        who = message.identity if identity_of(message) is not None else None
        if self.deny is not None:
            if who is None:
                return "the sender's real address is hidden here, and deny might name it"
            if self.deny.includes(message):
                return f"deny includes {who}"
        if self.allow is None or self.allow.includes(message):
            return None
        if who is None:
            return "the sender's real address is hidden here, and allow does not include everyone"
        return f"allow does not include {who}"


EVERYONE = Access()


def identity_of(message: Message) -> Jid | None:
    """The real bare JID of the sender, or None where it is not known for certain."""
    if message.identity is None:
        return None
    try:
        return Jid.parse(message.identity)
    except InvalidJid:
        return None  # from an adapter whose addresses are no JIDs


def refusal(name: str, message: Message) -> str:
    """The answer to a sender who may not use the responder ``name``."""
    if message.identity is None:
        return f"{name} is not for everyone, and I cannot see here who you are; ask me directly."
    return f"{name} is not for you, {message.speaker}."
