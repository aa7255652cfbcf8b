"""Why a message is not obeyed, or only answered, and who may answer where. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from xbot.model.message import Message

#: Which responders may answer in which room (bare address); None: all of them.
Rooms = Mapping[str, frozenset[str] | None]


def reason_to_drop(message: Message) -> str | None:
    """The first reason, in one word, not to obey ``message``; None when there is none.

    ``delayed``: the past is not obeyed. ``echo``: nor are we. ``room``: nor is
    the room itself, which speaks under its bare address when it announces
    something. ``empty``: nothing was said.
    """
    if message.delayed:
        return "delayed"
    if message.echo:
        return "echo"
    if message.is_public and message.sender == message.room:
        return "room"
    if not message.body.strip():
        return "empty"
    return None


def may_have_effects(message: Message) -> bool:
    """Whether what ``message`` asks for may be more than an answer.

    RFC 6121 5.2.2: a message of type ``normal``, or of none, stands outside any
    conversation. People's clients say ``chat``; what is left are notices of
    servers and programs, which may quote anything.
    """
    return message.payload.get("type") != "normal"


def may_answer(rooms: Rooms, message: Message, responder: str) -> bool:
    """Whether the responder of that name answers ``message``, where it was said.

    A room's restriction holds for what is said privately through it, too.
    """
    allowed = rooms.get(message.room) if message.room else None
    return allowed is None or responder in allowed
