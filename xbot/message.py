"""What was said, as one frozen value that belongs to no protocol."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import evolve, field, frozen

from xbot.errors import InvalidJid
from xbot.jid import Jid


def _frozen_mapping(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


@frozen
class Message:
    """One message, received or to be sent.

    ``sender`` and ``recipient`` are addresses in the adapter's own form (on
    XMPP: JIDs as text). ``payload`` holds the adapter's facts that the engine
    hands on unread; on XMPP its ``type`` is the stanza's (``groupchat``,
    ``chat``, ``normal``) and ``id`` the stanza's id, if it has one.

    ``room`` is the room's bare address for what was said in a room *or*
    privately through it, and ``nick`` the speaker's nick there. ``identity``
    is the speaker's real bare address where it is known for certain, else
    ``None``: no identity, no rights. ``delayed`` marks the past (XEP-0203,
    room history) and ``echo`` our own words come back; neither is obeyed.
    ``key`` tells this message from every other, for good; with None it could
    not be recognised if it came again.
    """

    sender: str
    recipient: str
    body: str
    payload: Mapping[str, str] = field(factory=dict, converter=_frozen_mapping, hash=False)
    room: str | None = None
    nick: str | None = None
    identity: str | None = None
    delayed: bool = False
    echo: bool = False
    key: str | None = None

    @property
    def is_public(self) -> bool:
        """Whether everyone in the room sees it (as opposed to one person)."""
        return self.payload.get("type") == "groupchat"

    @property
    def speaker(self) -> str:
        """What people call whoever said it: the nick, or the local part of the address."""
        if self.nick:
            return self.nick
        try:
            return Jid.parse(self.sender).local or self.sender
        except InvalidJid:
            return self.sender  # of an adapter whose addresses are no JIDs

    def reply(self, text: str) -> Message:
        """The answer to this message: from and to swapped, its type kept.

        What was said in a room is answered to the room, what was said to the
        bot alone (directly or through a room) to its sender.
        """
        recipient = self.room if self.is_public and self.room else self.sender
        payload = {"type": self.payload["type"]} if "type" in self.payload else {}
        return evolve(
            self,
            sender=self.recipient,
            recipient=recipient,
            body=text,
            payload=payload,
            nick=None,
            identity=None,
            delayed=False,
            echo=False,
            key=None,
        )
