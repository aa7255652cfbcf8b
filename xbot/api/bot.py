"""The bot itself, as the code of a responder asks it for something."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from xbot.model.message import Message
from xbot.model.status import Overview
from xbot.model.usage import Usage
from xbot.runtime.interfaces import IBot
from xbot.runtime.scope import Scope, current


class BotProxy:
    """``bot``: what a responder can ask of the bot itself, and have it do. ::

        @respond("where", help="where I am")
        async def where(message):
            return bot.overview().in_words()

    It works in coroutine functions, while the responder is loaded.

    :raises OutsideResponder: where no responder's code is running.
    :raises NotInThread: in a plain function, which runs in a thread.
    """

    def overview(self) -> Overview:
        """How the bot is at this moment: ``link`` (the connection), ``rooms``, ``in_words()``."""
        return _itself("bot.overview").overview()

    def uptime(self) -> float:
        """For how many seconds the bot has been there."""
        return _itself("bot.uptime").uptime()

    def now(self) -> datetime:
        """The time of day, in UTC. In tests it is the test's."""
        return datetime.fromtimestamp(_itself("bot.now").now(), UTC)

    def join(self, room: str, nick: str | None = None, *, by: str) -> None:
        """Be in ``room`` from now on, also after a restart, until :meth:`leave`.

        ``by`` is who wants that: a real bare address. It returns at once;
        :meth:`overview` tells how it goes.

        :raises Failed: when that is no room, is one of the ini, or one too many.
        """
        _itself("bot.join").join(room, nick, by)

    def leave(self, room: str) -> None:
        """Leave ``room`` and forget it.

        :raises Failed: when the bot is not there, or the ini says that it should be.
        """
        _itself("bot.leave").leave(room)

    def commands(self, message: Message) -> Sequence[Usage]:
        """What whoever said ``message`` may use there: its ``usage``, ``help``, ``responder``."""
        return _itself("bot.commands").usages(message)

    def addressed(self, text: str, room: str | None = None) -> str | None:
        """What of ``text`` speaks to the bot by its name or prefix; None when nothing does."""
        return _itself("bot.addressed").addressed(text, room)

    def allows(self, person: str, room: str | None = None) -> bool:
        """Whether ``person`` (a real bare address) may use this responder now, in ``room``."""
        return _itself("bot.allows").allows(current("bot.allows").name, person, room)

    def obey(self, message: Message, text: str) -> None:
        """Have ``text`` answered as if whoever said ``message`` had said it to the bot instead.

        In the same place, to the same people, with the rights that they have: who
        may use it, and how much, is asked anew. Each text is obeyed once for a
        message. It counts as something said by the responder.

        :raises Failed: after three of them in a chain.
        """
        itself = _itself("bot.obey")
        current("bot.obey").obey(itself.obey, message, text)

    def obey_as(self, person: str, text: str, *, room: str | None = None, key: str) -> None:
        """Have ``text`` answered as if ``person`` had said it now, in ``room`` or in private.

        ``person`` is the ``identity`` of a message that you had: the real bare
        address. It has the rights that the ini gives it at this moment; words like
        ``room-admins`` count if the person is in the room now. What has effects
        runs once for each ``key``, whatever happens.
        """
        itself = _itself("bot.obey_as")
        scope = current("bot.obey_as")
        scope.obey(itself.obey_as, person, text, room, f"{scope.name} {key}")


def _itself(what: str) -> IBot:
    scope: Scope = current(what)
    return scope.bot(what)


#: The bot, for whichever responder's code asks.
bot = BotProxy()
