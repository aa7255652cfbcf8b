"""Message filters: side effects outside conversations, rooms' responders. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from xbot.model.message import Message

#: Allow list of responders by room (bare address); None allows all of them.
Rooms = Mapping[str, frozenset[str] | None]


def may_have_effects(message: Message) -> bool:
    """Whether ``message`` may start a run with side effects.

    RFC 6121 5.2.2: a message of type ``normal``, or of none, stands outside any
    conversation. People's clients send ``chat``; ``normal`` ones are notices of
    servers and programs, which may quote anything.
    """
    return message.payload.get("type") != "normal"


def may_answer(rooms: Rooms, message: Message, responder: str) -> bool:
    """Whether the room of ``message`` allows the responder named ``responder``.

    A room's allow list holds for private messages through the room, too.
    """
    allowed = rooms.get(message.room) if message.room else None
    return allowed is None or responder in allowed
