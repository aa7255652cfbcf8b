"""A bot but for its chat service: all between an adapter and the responders, put together."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from xbot.chat.interfaces import IAdapter
from xbot.config.settings import Config
from xbot.engine.bot import EngineBot
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.engine.dispatch.filters import Rooms
from xbot.engine.dispatch.limits import Limits
from xbot.engine.dispatch.runs import Run
from xbot.engine.loading.lifecycle import Lifecycle
from xbot.engine.loading.loader import load_responders, modules_of
from xbot.engine.loading.reimport import fresh_modules
from xbot.engine.outbox import Outbox
from xbot.matching.matcher import FindsGuarded
from xbot.model.message import Message
from xbot.model.status import Link, Overview, Phase, Place
from xbot.process.shutdown import CLOSE_TIMEOUT, within
from xbot.process.threads import RunsInThread
from xbot.runtime.call_types import TakesPost
from xbot.runtime.environment import Environment
from xbot.runtime.responder import Responder
from xbot.state.interfaces import IBrain, IJournal


class Prepared(NamedTuple):
    """What another configuration needs, made and started, but not at work yet.

    ``new_journal`` is the first that there is, and None where it needs none, or has it.
    """

    config: Config
    responders: tuple[Responder, ...]
    new_journal: IJournal | None


class Assembly:
    """The bot of ``config``, over whatever ``adapter`` it is given before it begins.

    The adapter gives its messages to the ``dispatcher``, and tells the ``outbox``
    what became of others; another one may follow it.

    Making this loads the responders, and raises
    :class:`~xbot.model.errors.InvalidConfig` with what is wrong with them. Once one of
    them has effects, ``make_journal`` makes the journal, whose entries are kept
    for so many seconds. ``clock`` is a reactor's. ``overview`` tells how the whole
    bot is, if somebody knows more than the adapter does, and ``ended`` is told
    each run that is over.
    """

    adapter: IAdapter

    def __init__(
        self,
        config: Config,
        clock: Any,
        *,
        in_thread: RunsInThread,
        brain: IBrain,
        make_journal: Callable[[float], IJournal],
        worker: FindsGuarded | None = None,
        overview: Callable[[], Overview] | None = None,
        wall_clock: Callable[[], float] = time.time,
        ended: Callable[[Run], object] = lambda run: None,
    ) -> None:
        self.config = config
        self.rooms = rooms_of(config)
        self._clock = clock
        self._brain = brain
        self._make_journal = make_journal
        self._began = clock.seconds()
        address = str(config.xmpp.jid)
        self._surroundings = Environment(
            clock,
            in_thread,
            lambda message: self.outbox.put(message),
            brain.namespace,
            brain.flushed,
            self._is_room,
            address,
            EngineBot(
                clock,
                address=address,
                adapter=lambda: self.adapter,
                dispatcher=lambda: self.dispatcher,
                overview=overview or self._overview,
                named=lambda: self.rooms,
                nick=lambda: self.config.bot.name,
                wall_clock=wall_clock,
            ),
        )
        self.responders = load_responders(config.responders, self._surroundings)
        self._lives = Lifecycle(self.responders)
        self.journal = self._journal_for(config, self.responders)
        # These know each other; each is made before it is used.
        self.outbox = Outbox(
            lambda message: self.adapter.send(message),
            clock=clock,
            lost=lambda message: self.dispatcher.got_lost(message),
        )
        self._limits = Limits(config.bot.sender_rate, config.bot.room_rate, clock.seconds)
        self.dispatcher = Dispatcher(
            self.responders,
            self.outbox.put,
            clock,
            name=config.bot.name,
            prefix=config.bot.prefix,
            nick_in=lambda room: self.adapter.nick_in(room),
            rooms=self.rooms,
            journal=self.journal,
            worker=worker,
            limits=self._limits,
            wall_clock=wall_clock,
            ended=ended,
            measure=lambda: self.adapter.measure,
            affiliation=lambda message: self.adapter.affiliation(message),
        )
        self.dispatcher.tells_all = config.bot.log_level.shows_debug

    # Its life

    async def start(self) -> None:
        """All of the beginning, for who has nothing to do in between."""
        await self.open()
        self.begin()

    async def open(self) -> None:
        """Open what is kept."""
        if self.journal is not None:
            await self.journal.open()
        await self._brain.open()

    def begin(self) -> None:
        """Start the responders and the adapter."""
        self._lives.start()
        self.adapter.start()

    async def stop(self) -> None:
        """All of the end, for who has nothing to do in between."""
        self.dispatcher.stop()
        await self.close_responders()
        await self.adapter.stop()
        await self.close()

    async def close_responders(self) -> None:
        """End them, who may say something yet."""
        await within(
            self._clock, CLOSE_TIMEOUT, self._lives.close(), "a responder did not stop in time"
        )

    async def drain(self, seconds: float) -> None:
        """Give what waits to be said so much time to leave."""
        await within(self._clock, seconds, self.outbox.drained(), "not all was said in time")

    async def close(self) -> None:
        """Close what is kept."""
        self.outbox.stop()
        if self.journal is not None:
            await self.journal.close()
        await self._brain.close()

    # Another configuration

    async def prepare(self, config: Config) -> Prepared:
        """Make everything that can fail; nothing changes before :meth:`take_over`.

        :raises InvalidConfig: with what is wrong with its responders.
        :raises UnusableJournal: when it needs one that cannot be used.
        """
        new_journal = None
        # What fails leaves the old modules where they were.
        with fresh_modules(modules_of(config.responders)):
            responders = load_responders(config.responders, self._surroundings)
            try:
                if self.journal is None:
                    new_journal = self._journal_for(config, responders)
                    if new_journal is not None:
                        await new_journal.open()
                await self._lives.prepare(responders, config.responders)
            except BaseException:
                await self.discard(Prepared(config, responders, new_journal))
                raise
        return Prepared(config, responders, new_journal)

    async def discard(self, prepared: Prepared) -> None:
        """This was prepared for nothing."""
        self._lives.discard(prepared.responders)
        if prepared.new_journal is not None:
            await prepared.new_journal.close()

    def take_over(self, prepared: Prepared) -> None:
        """From now on this, all in one turn of the reactor: no message comes in between."""
        config = prepared.config
        self.config = config
        self.rooms, self.responders = rooms_of(config), prepared.responders
        if prepared.new_journal is not None:
            self.journal = prepared.new_journal
            self.dispatcher.got_journal(self.journal)
        elif self.journal is not None:
            self.journal.change(config.bot.journal_keep)
        self._limits.change(config.bot.sender_rate, config.bot.room_rate)
        self.dispatcher.change(
            self.responders,
            name=config.bot.name,
            prefix=config.bot.prefix,
            rooms=self.rooms,
        )
        self.dispatcher.tells_all = config.bot.log_level.shows_debug
        self._lives.take_over(self.responders)

    # For those who have something said

    def offer(
        self,
        message: Message,
        delivered: Callable[[], None],
        failed: Callable[[], None],
        dropped: Callable[[], None] | None = None,
    ) -> bool:
        """Say ``message`` and tell what becomes of it, if the outbox has room; gives whether.

        Who gives ``dropped`` keeps it, and may offer it again.
        """
        if not self.outbox.has_room_for(message):
            return False
        self.outbox.put(message, delivered, failed, dropped)
        return True

    def taker(self, webhook: str) -> TakesPost | None:
        """What takes the posts of the webhook of this name, which is left to a responder."""
        scopes = (each.scope for each in self.responders if each.scope is not None)
        return next((scope.posts[webhook] for scope in scopes if webhook in scope.posts), None)

    def _overview(self) -> Overview:
        nicks = {room: self.adapter.nick_in(room) for room in self.adapter.places()}
        places = (
            Place(room, nick or "", "absent" if nick is None else "joined", "", 0.0)
            for room, nick in nicks.items()
        )
        link = Link("online", self._clock.seconds() - self._began)
        return Overview(Phase.RUNNING, link, tuple(places))

    def _is_room(self, place: str) -> bool:
        return place in self.rooms or place in self.adapter.places()

    def _journal_for(self, config: Config, responders: tuple[Responder, ...]) -> IJournal | None:
        if not any(responder.has_effects for responder in responders):
            return None
        return self._make_journal(config.bot.journal_keep)


def rooms_of(config: Config) -> Rooms:
    """What may answer where."""
    return {str(room.jid): room.responders for room in config.rooms}
