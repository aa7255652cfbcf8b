"""``bot``: the proxy through which a responder's code uses the bot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.model.status import Overview
from xbot.model.usage import Usage
from xbot.runtime.interfaces import IBot
from xbot.runtime.scope import Scope, current


class BotProxy:
    """``bot``: status, rooms, rights and commands of the bot, for a responder's code. ::

        @respond("where", help="where I am")
        async def where(message):
            return bot.overview().in_words()

    It works in coroutine functions, while the responder is loaded.

    :raises OutsideResponder: where no responder's code is running.
    :raises NotInThread: in a plain function, which runs in a thread.
    """

    def overview(self) -> Overview:
        """The bot's present status: ``link`` (the connection), ``rooms``, ``in_words()``."""
        return _bot_for("bot.overview").overview()

    def uptime(self) -> float:
        """Seconds since the bot started."""
        return _bot_for("bot.uptime").uptime()

    def now(self) -> datetime:
        """The time of day, in UTC. In tests it is the test's."""
        return datetime.fromtimestamp(_bot_for("bot.now").now(), UTC)

    def join(self, room: str, nick: str | None = None, *, by: str) -> None:
        """Join ``room`` and stay in it, also after a restart, until :meth:`leave`.

        ``by`` is the person who requested it: a real bare address. It returns at once;
        :meth:`overview` tells whether the bot is in the room yet.

        :raises Failed: when it is no room, is in the ini, or exceeds the number of rooms.
        """
        _bot_for("bot.join").join(room, nick, by)

    def leave(self, room: str) -> None:
        """Leave ``room`` and forget it.

        :raises Failed: when the bot is not there, or the ini says that it should be.
        """
        _bot_for("bot.leave").leave(room)

    def commands(self, message: Message) -> Sequence[Usage]:
        """The commands that the sender of ``message`` may use where it was said."""
        return _bot_for("bot.commands").usages(message)

    def addressed(self, text: str, room: str | None = None) -> str | None:
        """The command in ``text``, without the bot's name or prefix; None if it has neither."""
        return _bot_for("bot.addressed").addressed(text, room)

    def allows(self, person: str, room: str | None = None) -> bool:
        """Whether ``person`` (a real bare address) may use this responder now, in ``room``."""
        return _bot_for("bot.allows").allows(current("bot.allows").name, person, room)

    def obey(
        self, message: Message, text: str, *, author: str | None = None, effects: bool = True
    ) -> None:
        """Run ``text`` as a command by the sender of ``message``, in the same place.

        Access rules and rate limits apply as if the sender had said ``text`` to the bot.
        ``author`` is the person (a real bare address) who chose ``text``, if that is another
        one: a command with effects then runs only if that person, too, may use it there now,
        and the answer begins by naming it. Without ``effects`` no such command runs.
        Each text is run once per message. It counts towards the rate limit of ``say``.

        :raises Failed: when three such commands have called each other in a chain.
        """
        the_bot = _bot_for("bot.obey")
        authors: tuple[str | None, ...] = () if author is None else (author,)
        if not effects:
            authors = (None,)
        current("bot.obey").obey(the_bot.obey, message, text, authors)

    def obey_as(self, person: str, text: str, *, room: str | None = None, key: str) -> None:
        """Run ``text`` as a command by ``person``, now, in ``room`` or in private.

        ``person`` is the ``identity`` of an earlier message: the real bare address. The
        ini's present access rules apply; words like ``room-admins`` count if the person
        is in the room now. A command with effects runs at most once per ``key``.

        :raises MayNotWrite: without ``room``, when the ini does not permit to write to them.
        """
        the_bot = _bot_for("bot.obey_as")
        scope = current("bot.obey_as")
        if room is None:
            scope.check_person(Jid.parse(person))
        scope.obey(the_bot.obey_as, person, text, room, f"{scope.name} {key}")


def _bot_for(what: str) -> IBot:
    scope: Scope = current(what)
    return scope.bot(what)


#: The bot, for the calling responder.
bot = BotProxy()
