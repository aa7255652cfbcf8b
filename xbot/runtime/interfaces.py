"""IBot: what responders can ask of the bot (zope.interface)."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import Interface

from xbot.model.message import Message
from xbot.model.status import Overview
from xbot.model.usage import Usage


class IBot(Interface):
    """The bot, as its responders use it. Call it on the reactor's thread.

    Rooms and people are bare addresses. A ``room`` of None means a private chat. The
    methods are documented in :class:`xbot.api.bot.BotProxy`, the public API, which calls
    ``usages`` ``commands``. ``now`` is in seconds since 1970.
    """

    def now() -> float: ...

    def uptime() -> float: ...

    def overview() -> Overview: ...

    def join(room: str, nick: str | None, by: str) -> None: ...

    def leave(room: str) -> None: ...

    def usages(message: Message) -> Sequence[Usage]: ...

    def addressed(text: str, room: str | None) -> str | None: ...

    def allows(responder: str, person: str, room: str | None) -> bool: ...

    def obey(message: Message, text: str, authors: Sequence[str | None]) -> None: ...

    def obey_as(person: str, text: str, room: str | None, key: str) -> None: ...
