"""Assembly: wires outbox, dispatcher, responders and journal together behind one adapter."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.logger import Logger

from xbot.chat.interfaces import IAdapter
from xbot.config.settings import Config
from xbot.engine.bot import EngineBot
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.engine.dispatch.filters import Rooms
from xbot.engine.dispatch.limits import Limits
from xbot.engine.dispatch.runs import Run
from xbot.engine.loading.lifecycle import Lifecycle
from xbot.engine.loading.loader import load_responders, modules_of
from xbot.engine.loading.reimport import LoadedModules, fresh_modules
from xbot.engine.outbox import Outbox
from xbot.matching.matcher import FindsGuarded
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.model.status import Link, Overview, Phase, Place
from xbot.process.shutdown import CLOSE_TIMEOUT, within
from xbot.process.threads import RunsInThread
from xbot.runtime.call_types import TakesPost
from xbot.runtime.environment import Environment
from xbot.runtime.responder import Responder
from xbot.state.interfaces import IBrain, IJournal

#: Maximum number of modules that a warning of a reload names.
MAX_TOLD = 10


class Prepared(NamedTuple):
    """A new configuration with its responders loaded and started, but not in use yet.

    ``new_journal`` is set only if this configuration is the first that needs a journal.
    """

    config: Config
    responders: tuple[Responder, ...]
    new_journal: IJournal | None


class Assembly:
    """The engine of a bot with the configuration ``config``; set ``adapter`` before :meth:`begin`.

    The adapter passes incoming messages to the ``dispatcher`` and receipts to the
    ``outbox``. A new adapter may replace it later.

    The constructor loads the responders, and raises
    :class:`~xbot.model.errors.InvalidConfig` with their mistakes. If one of them has
    effects, ``make_journal(keep)`` makes the journal, which keeps its entries for ``keep``
    seconds. ``clock`` is a reactor. ``overview`` returns the status of the whole bot;
    by default it is made from what the adapter knows. ``ended`` is called with each
    finished run.
    """

    _log = Logger()

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
        # The configuration whose responders are starting, during a reload.
        self._coming = config
        self.rooms = rooms_of(config)
        self._clock = clock
        self._brain = brain
        self._make_journal = make_journal
        self._began = clock.seconds()
        address = str(config.xmpp.jid)
        self._environment = Environment(
            clock,
            in_thread,
            lambda message: self.outbox.put(message),
            brain.namespace,
            brain.flushed,
            self._is_room,
            self._may_write_to,
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
        self.responders = load_responders(config.responders, self._environment)
        self._lifecycle = Lifecycle(self.responders)
        self._modules = LoadedModules()
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
            deliver=self.outbox.put,
            is_mute=lambda room: self.adapter.is_mute(room),
        )
        self.dispatcher.tells_all = config.bot.log_level.shows_debug

    # Start and stop

    async def start(self) -> None:
        await self.open()
        self.begin()

    async def open(self) -> None:
        if self.journal is not None:
            await self.journal.open()
        await self._brain.open()

    def begin(self) -> None:
        self._lifecycle.start()
        self.adapter.start()

    async def stop(self) -> None:
        """The whole shutdown in one call."""
        self.dispatcher.stop()
        await self.close_responders()
        await self.adapter.stop()
        await self.close()

    async def close_responders(self) -> None:
        """Stop the responders; they may still send messages while they stop."""
        await within(
            self._clock, CLOSE_TIMEOUT, self._lifecycle.close(), "a responder did not stop in time"
        )

    async def drain(self, seconds: float) -> None:
        """Wait until the outbox is empty, for at most ``seconds``."""
        await within(
            self._clock, seconds, self.outbox.drained(), "not all messages were sent in time"
        )

    async def close(self) -> None:
        """Stop the outbox, and close the journal and the brain."""
        self.outbox.stop()
        if self.journal is not None:
            await self.journal.close()
        await self._brain.close()

    # Reload

    async def prepare(self, config: Config) -> Prepared:
        """Do every step of a reload that can fail; nothing changes before :meth:`take_over`.

        :raises InvalidConfig: with the mistakes in the responders of ``config``.
        :raises UnusableFile: when ``config`` needs a journal and it cannot be used.
        """
        self._coming = config
        try:
            return await self._prepare(config)
        except BaseException:
            self._coming = self.config
            raise

    async def _prepare(self, config: Config) -> Prepared:
        new_journal = None
        # After a failure the old modules are still the imported ones.
        with fresh_modules(modules_of(config.responders)) as fresh:
            responders = load_responders(config.responders, self._environment)
            try:
                if self.journal is None:
                    new_journal = self._journal_for(config, responders)
                    if new_journal is not None:
                        await new_journal.open()
                await self._lifecycle.prepare(responders, config.responders)
            except BaseException:
                await self.discard(Prepared(config, responders, new_journal))
                raise
        if changed := self._modules.changed(fresh):
            self._log.warn(
                "changed on disk, but old until a restart: {modules}",
                modules=", ".join(changed[:MAX_TOLD]) + (", ..." if changed[MAX_TOLD:] else ""),
            )
        return Prepared(config, responders, new_journal)

    async def discard(self, prepared: Prepared) -> None:
        """Undo :meth:`prepare`, when the reload does not go ahead."""
        self._coming = self.config
        self._lifecycle.discard(prepared.responders)
        if prepared.new_journal is not None:
            await prepared.new_journal.close()

    def take_over(self, prepared: Prepared) -> None:
        """Switch to the prepared configuration, in one reactor turn: no message comes between."""
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
        self._lifecycle.take_over(self.responders)

    # For webhooks and the control socket

    def offer(
        self,
        message: Message,
        delivered: Callable[[], None],
        failed: Callable[[], None],
        dropped: Callable[[], None] | None = None,
    ) -> bool:
        """Queue ``message`` if the outbox has room for it; return whether it was queued.

        Then one of the callbacks is called in the end, as by :meth:`Outbox.put`. A caller
        that gives ``dropped`` keeps its own copy, and may offer it again.
        """
        if not self.outbox.has_room_for(message):
            return False
        self.outbox.put(message, delivered, failed, dropped)
        return True

    def taker(self, webhook: str) -> TakesPost | None:
        """The responder function that takes the posts to the webhook of this name, if any."""
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

    def is_person(self, place: str) -> bool:
        """Whether ``place`` (a bare address) is a person to whom the bot may write."""
        return not self._is_room(place) and self.config.may_write_to(Jid.parse(place))

    def _is_room(self, place: str) -> bool:
        return place in self.rooms or place in self.adapter.places()

    def _may_write_to(self, responder: str, person: Jid) -> bool:
        return any(each.may_write_to(person, responder) for each in (self.config, self._coming))

    def _journal_for(self, config: Config, responders: tuple[Responder, ...]) -> IJournal | None:
        if not any(responder.has_effects for responder in responders):
            return None
        return self._make_journal(config.bot.journal_keep)


def rooms_of(config: Config) -> Rooms:
    """For each room of the ini, the names of the responders allowed there."""
    return {str(room.jid): room.responders for room in config.rooms}
