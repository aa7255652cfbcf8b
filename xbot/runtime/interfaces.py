"""IBot: what responders can ask of the bot (zope.interface)."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import Interface

from xbot.model.message import Message
from xbot.model.status import Overview
from xbot.model.usage import Usage


class IBot(Interface):
    """The bot, as its responders use it. Call it on the reactor's thread.

    Rooms and people are bare addresses. A ``room`` of None means in private.
    """

    def now() -> float:
        """The time of day, in seconds since 1970."""

    def uptime() -> float:
        """Seconds since the bot started."""

    def overview() -> Overview:
        """The bot's present status."""

    def join(room: str, nick: str | None, by: str) -> None:
        """Join a room that is not in the ini, until :meth:`leave`; ``by`` is who requested it."""

    def leave(room: str) -> None:
        """Leave a room that is not in the ini, and forget it."""

    def usages(message: Message) -> Sequence[Usage]:
        """The commands that the sender of ``message`` may use where it was said."""

    def addressed(text: str, room: str | None) -> str | None:
        """The command in ``text``, without the bot's name or prefix; None if it is not for us."""

    def allows(responder: str, person: str, room: str | None) -> bool:
        """Whether ``person`` may now use the responder called ``responder`` in ``room``."""

    def obey(message: Message, text: str, authors: Sequence[str | None]) -> None:
        """Run ``text`` as a command by the sender of ``message``, in the same place.

        ``authors`` are the other people who chose ``text``, None for one who is not known:
        a command with effects runs only if all of them may use it there.
        """

    def obey_as(person: str, text: str, room: str | None, key: str) -> None:
        """Run ``text`` as a command by ``person``, now. Idempotent: once per ``key``."""
