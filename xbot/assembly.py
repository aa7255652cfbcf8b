"""A bot but for its chat service: all between an adapter and the responders, put together."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger

from xbot.dispatch.dispatcher import Dispatcher
from xbot.dispatch.limits import Limits
from xbot.filters import Rooms
from xbot.interfaces import IAdapter, IBrain, IJournal, IReceipts
from xbot.itself import Itself
from xbot.loading.lives import Lives
from xbot.loading.loader import load_responders
from xbot.matching.matcher import FindsGuarded
from xbot.message import Message
from xbot.outbox import Outbox
from xbot.overview import Link, Overview, Phase, Place
from xbot.scope import Surroundings
from xbot.settings import Config
from xbot.threads import RunsInThread

#: Seconds that the responders have to stop, all together.
CLOSE_TIMEOUT = 10.0

GotMessage = Callable[[Message], Deferred[None] | None]

MakeAdapter = Callable[[GotMessage, IReceipts], IAdapter]
"""Makes the adapter, of whom it gives messages to and whom it tells what became of others."""


class Assembly:
    """The bot of ``config``, over whatever adapter ``make_adapter`` makes.

    Making it loads the responders, and raises
    :class:`~xbot.errors.InvalidConfig` with what is wrong with them. What has
    effects is journalled if there is a ``journal``. ``clock`` is a reactor's.
    The rates of ``[xbot]`` hold only with ``limits``, those of responders always.
    """

    _log = Logger("xbot")

    def __init__(
        self,
        config: Config,
        clock: Any,
        make_adapter: MakeAdapter,
        *,
        in_thread: RunsInThread,
        brain: IBrain,
        journal: IJournal | None,
        worker: FindsGuarded | None = None,
        limits: bool = False,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self.brain = brain
        self.journal = journal
        self._clock = clock
        self._began = clock.seconds()
        rooms: Rooms = {str(room.jid): room.responders for room in config.rooms}
        surroundings = Surroundings(
            clock,
            in_thread,
            lambda message: self.outbox.put(message),
            brain.namespace,
            brain.flushed,
            self._is_room,
            str(config.xmpp.jid),
            Itself(
                clock,
                address=str(config.xmpp.jid),
                adapter=lambda: self.adapter,
                dispatcher=lambda: self.dispatcher,
                overview=self.overview,
                named=lambda: rooms,
                nick=lambda: config.bot.name,
                wall_clock=wall_clock,
            ),
        )
        self.responders = load_responders(config.responders, surroundings)
        self._lives = Lives(self.responders)
        self.outbox = Outbox(lambda message: self.adapter.send(message))
        self.adapter = make_adapter(
            lambda message: self.dispatcher.got_message(message), self.outbox
        )
        self.dispatcher = Dispatcher(
            self.responders,
            self.outbox.put,
            clock,
            name=config.bot.name,
            prefix=config.bot.prefix,
            nick_in=self.adapter.nick_in,
            rooms=rooms,
            journal=journal,
            worker=worker,
            limits=Limits(
                config.bot.sender_rate if limits else None,
                config.bot.room_rate if limits else None,
                clock.seconds,
            ),
        )

    async def start(self) -> None:
        """Begin: what is kept is opened, responders and adapter are started, rooms joined."""
        if self.journal is not None:
            await self.journal.open()
        await self.brain.open()
        self._lives.start()
        self.connect()

    def overview(self) -> Overview:
        """How the bot is at this moment, as far as its adapter knows."""
        nicks = {room: self.adapter.nick_in(room) for room in self.adapter.places()}
        places = (
            Place(room, nick or "", "absent" if nick is None else "joined", "", 0.0)
            for room, nick in nicks.items()
        )
        link = Link("online", self._clock.seconds() - self._began)
        return Overview(Phase.RUNNING, link, tuple(places))

    def connect(self) -> None:
        """Start the adapter alone, and join the rooms: what :meth:`start` does in the end."""
        self.adapter.start()
        for room in self.config.rooms:
            self.adapter.join(room)

    async def stop(self) -> None:
        """End what runs, and close all that was opened."""
        self.dispatcher.stop()
        try:
            await self._lives.close().addTimeout(CLOSE_TIMEOUT, self._clock)
        except TimeoutError:
            self._log.warn("a responder did not stop in time; leaving all the same")
        await self.adapter.stop()
        if self.journal is not None:
            await self.journal.close()
        await self.brain.close()

    def _is_room(self, place: str) -> bool:
        configured = any(str(room.jid) == place for room in self.config.rooms)
        return configured or self.adapter.nick_in(place) is not None
