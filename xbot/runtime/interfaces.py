"""Contract of the bot towards its responders (zope.interface)."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import Interface

from xbot.model.message import Message
from xbot.model.status import Overview
from xbot.model.usage import Usage


class IBot(Interface):
    """What the bot does when its responders ask; all of it on the reactor.

    Rooms and people are bare addresses. A ``room`` of None means in private.
    """

    def now() -> float:
        """The time of day, in seconds since 1970."""

    def uptime() -> float:
        """For how many seconds the bot has been there."""

    def overview() -> Overview:
        """How the bot is at this moment."""

    def join(room: str, nick: str | None, by: str) -> None:
        """Be in a room that the ini does not name, until :meth:`leave`; ``by`` wants that."""

    def leave(room: str) -> None:
        """Leave a room that the ini does not name, and forget it."""

    def usages(message: Message) -> Sequence[Usage]:
        """What whoever said ``message`` may use where that was said."""

    def addressed(text: str, room: str | None) -> str | None:
        """What of ``text`` would be said to the bot; None when it is for others."""

    def allows(responder: str, person: str, room: str | None) -> bool:
        """Whether ``person`` may use the responder of that name there now."""

    def obey(message: Message, text: str) -> None:
        """Answer ``text`` as if whoever said ``message`` had said it to the bot instead."""

    def obey_as(person: str, text: str, room: str | None, key: str) -> None:
        """Answer ``text`` as if ``person`` had said it to the bot now; once for each ``key``."""
