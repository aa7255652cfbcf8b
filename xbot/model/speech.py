"""Build an incoming Message without a server: for the shell, the test kit and ``explain``."""

from __future__ import annotations

from xbot.model.jid import Jid
from xbot.model.message import Message


def message_of(
    text: str,
    to: str,
    *,
    sender: str | None,
    room: str | None = None,
    nick: str | None = None,
    affiliation: str = "none",
    private: bool = False,
    key: str | None = None,
) -> Message:
    """A Message with ``text``, from ``sender`` to the bot whose address is ``to``.

    In ``room`` it is a groupchat message, or, with ``private``, a private message
    through the room. Without ``sender`` it comes from a semi-anonymous room, which
    hides real JIDs; then ``nick`` is required. ``nick`` defaults to the sender's
    local part.

    :raises xbot.model.errors.InvalidJid: when an address is invalid.
    :raises ValueError: when the arguments contradict each other.
    """
    jid = Jid.parse(sender) if sender is not None else None
    if room is None:
        if jid is None:
            raise ValueError(
                "outside of a room the sender is always known: give a sender or a room"
            )
        if nick is not None or private or affiliation != "none":
            raise ValueError("nick, affiliation and private belong to a room; name one")
        identity = str(jid.bare)
        return Message(str(jid), to, text, {"type": "chat"}, identity=identity, key=key)
    place = Jid.parse(room)
    if place.local is None or place.resource is not None:
        raise ValueError(f"{room} is no room: a room's JID is ROOM@SERVICE")
    nick = nick or (jid.local if jid is not None else None)
    if not nick:
        raise ValueError("a sender in a room needs a nick: give one")
    return Message(
        str(place.with_resource(nick)),
        to,
        text,
        {"type": "chat" if private else "groupchat"},
        room=str(place),
        nick=nick,
        identity=str(jid.bare) if jid is not None else None,
        affiliation=affiliation,
        key=key,
    )
