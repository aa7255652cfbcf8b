"""The whole bot, put together from its configuration, as one Twisted service."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.application.service import Service
from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger
from twisted.python.failure import Failure

from xbot.account import file_digests, make_account, make_endpoint
from xbot.brain.brain import Brain
from xbot.brain.file import FILE_NAME as BRAIN_NAME
from xbot.config import line_of, load
from xbot.dispatch.dispatcher import Dispatcher
from xbot.dispatch.limits import Limits
from xbot.dispatch.runs import Run
from xbot.entry import UnusableJournal
from xbot.errors import InvalidConfig, Problem
from xbot.file_state import UnusableFile
from xbot.filters import Rooms
from xbot.interfaces import IJournal
from xbot.itself import Itself
from xbot.jid import Jid
from xbot.journal.file import FILE_NAME as JOURNAL_NAME
from xbot.journal.journal import Journal
from xbot.loading.fresh import fresh_modules
from xbot.loading.lives import Lives
from xbot.loading.loader import load_responders, modules_of
from xbot.loading.remarks import slow_patterns, unreachable
from xbot.matching.worker import Worker
from xbot.message import Message
from xbot.outbox import Outbox
from xbot.overview import Overview, Phase
from xbot.pattern_process import spawn_on
from xbot.recent import Change, Recent
from xbot.reloading import Reloading
from xbot.responder import Responder
from xbot.saying.server import Bot as SayBot
from xbot.saying.server import SayServer
from xbot.scope import Surroundings, TakesPost
from xbot.settings import EMBEDDED, Config
from xbot.survey import command, skill, survey
from xbot.threads import InThread
from xbot.xmpp.adapter import XmppAdapter
from xbot.xmpp.connection import State, Status
from xbot.xmpp.invited import FILE_NAME as ROOMS_NAME
from xbot.xmpp.invited import InvitedRooms
from xbot.xmpp.room import State as RoomState
from xbot.xmpp.trace import Trace

if TYPE_CHECKING:
    from xbot.embedded import Embedded
    from xbot.plan import Plan
    from xbot.web.service import StatusServer
    from xbot.webhooks.door import Door

#: Seconds that the answers under way have to leave when we do.
DRAIN_TIMEOUT = 10.0

#: Seconds that they have when another connection follows, which says what is left.
HAND_OVER_TIMEOUT = 5.0

#: Seconds that the responders have to stop, all together.
CLOSE_TIMEOUT = 10.0

#: Seconds that a program has to end once it was told to.
WIND_DOWN_TIMEOUT = 5.0


class BotService(Service):
    """One bot. ``gave_up(reason)`` is called when only a person can help.

    Making it loads the responders, and raises
    :class:`~xbot.errors.InvalidConfig` with what is wrong; nothing is
    connected, and nothing listens, before :meth:`startService`. ``load`` reads
    the ini again, for :meth:`reload`. ``trace`` sees what goes over the wire.
    ``got_phase`` and ``got_config``, which may be set, are told of each ``phase``
    and of another configuration; ``say``, too, which lets scripts say something.
    """

    _log = Logger("xbot")

    def __init__(
        self,
        config: Config,
        reactor: Any,
        gave_up: Callable[[str], None],
        load: Callable[[Path], Config] = load,
        trace: Trace | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self.phase = Phase.STARTING
        self.got_phase: Callable[[Phase], object] = lambda phase: None
        self.got_config: Callable[[Config], object] = lambda config: None
        self.recent = Recent()
        self._wall_clock = wall_clock
        self._began: float = reactor.seconds()
        self._reactor = reactor
        self._gave_up = gave_up
        self._load = load
        self._trace = trace
        self._reloading = Reloading(reactor, self._reload_in_public)
        self._threads = InThread(reactor)
        self.embedded = _embedded(config, reactor)
        self.brain = Brain(config.bot.state / BRAIN_NAME, reactor)
        rooms = _rooms(config)
        self._surroundings = self._surround(config)
        responders = load_responders(config.responders, self._surroundings)
        self._responders = responders
        self._lives = Lives(responders)
        self.journal = self._journal_for(config, responders)
        # These know each other; each is made before it is used.
        self.outbox = Outbox(lambda message: self.adapter.send(message))
        # Its own: stuck responders must not keep us from logging in.
        self._login_threads = InThread(reactor)
        self._files = file_digests(config.xmpp)
        self._worker = Worker(reactor, spawn_on(reactor))
        self._limits = Limits(config.bot.sender_rate, config.bot.room_rate)
        self.dispatcher = Dispatcher(
            responders,
            self.outbox.put,
            reactor,
            name=config.bot.name,
            prefix=config.bot.prefix,
            nick_in=lambda room: self.adapter.nick_in(room),
            rooms=rooms,
            journal=self.journal,
            worker=self._worker,
            limits=self._limits,
            ended=self._got_run,
        )
        self.dispatcher.tells_all = config.bot.log_level.shows_debug
        self.adapter = self._adapter(config)
        # Since the bot first listened.
        self.webhooks: Door | None = None
        self.web = self._web(config)
        self.say: SayServer | None = None

    def startService(self) -> None:
        """Begin: the embedded server first, where there is one."""
        super().startService()
        started = Deferred.fromCoroutine(self._start())
        started.addErrback(self._cannot_start)

    def stopService(self) -> Deferred[None]:
        """End the runs under way, say goodbye, and close what is open."""
        super().stopService()
        self._become(Phase.STOPPING)
        return Deferred.fromCoroutine(self._stop())

    def reload(self) -> Deferred[None]:
        """Read the ini again and go on with it; what is wrong with it changes nothing.

        Asked for while one is under way, one more follows it. Fires, and never
        fails, when nothing is left to do.
        """
        return self._reloading.ask()

    def overview(self) -> Overview:
        """How the bot is at this moment."""
        now = self._reactor.seconds()
        return evolve(
            survey(self.phase, self.adapter, now, {room.jid for room in self.config.rooms}),
            name=self.config.bot.name,
            uptime=now - self._began,
            waiting=len(self.outbox),
            journal=str(self.journal.state) if self.journal is not None else None,
            fates=dict(self.dispatcher.fates),
            dropped=dict(self.adapter.dropped),
            skills=tuple(map(skill, self._responders)),
            commands=tuple(self.recent.commands),
            changes=tuple(self.recent.changes),
        )

    def for_scripts(self) -> SayBot:
        """What ``xbot say`` and ``xbot status`` can ask for."""

        def hindrance(jid: Jid) -> str:
            if self.adapter.connection.stream is None:
                return self.overview().in_words()
            room = self.adapter.rooms.get(jid)
            return "" if room is None or room.state is RoomState.JOINED else room.reason

        def status() -> tuple[bool, str]:
            overview = self.overview()
            return overview.is_ready, overview.in_words()

        return SayBot(
            lambda jid: self.adapter.rooms.get(jid) is not None, self._put, hindrance, status
        )

    def _got_run(self, run: Run) -> None:
        done = command(run, self._wall_clock(), self._reactor.seconds())
        self.recent.commands.append(done)
        if self.web is not None:
            self.web.got_command(done)

    def _got_status(self, status: Status) -> None:
        state, problem = status.state, status.last_error
        # What was wrong before is no news of those.
        is_well = state in (State.ONLINE, State.NEGOTIATING)
        self.recent.changes.append(
            Change(self._wall_clock(), state.value, None if is_well else problem)
        )

    def remarks(self) -> list[Problem]:
        """What is no mistake in the ini, but hardly meant."""
        settings = self.config.responders
        return [
            *slow_patterns(self._responders, settings),
            *unreachable(self._responders, settings, _rooms(self.config)),
        ]

    def _warn_of_slow_patterns(self) -> None:
        for remark in slow_patterns(self._responders, self.config.responders):
            self._log.warn("{remark}", remark=str(remark))

    def _become(self, phase: Phase) -> None:
        # A reload that ends late does not bring us back to life.
        if self.phase is not Phase.STOPPING:
            self.phase = phase
            self.got_phase(phase)

    async def _start(self) -> None:
        self._warn_of_slow_patterns()
        if self.embedded is not None:
            await self.embedded.start()
        if self.journal is not None:
            await self.journal.open()
        await self.brain.open()
        if self.webhooks is not None:
            await self.webhooks.change(self.config.webhooks)
        if self.web is not None:
            self.web.start()
        if self.say is not None:
            self.say.start()
        self._lives.start()
        self.adapter.start()
        # Not awaited: it waits for a disk that fails.
        self.dispatcher.report_interrupted(self.outbox.put)
        self._reloading.begin()
        self._become(Phase.RUNNING)

    def _cannot_start(self, failure: Failure) -> None:
        if not failure.check(UnusableFile):
            self._log.failure("cannot start", failure)
        self._gave_up(f"cannot start: {failure.getErrorMessage()}")

    async def _stop(self) -> None:
        self._reloading.end()
        self.dispatcher.stop()
        self._worker.stop()
        if self.web is not None:
            await self.web.stop()
        if self.webhooks is not None:
            self.webhooks.hold()
        await self._within(CLOSE_TIMEOUT, self._lives.close(), "a responder did not stop in time")
        # While the link is down too: it may come back in time.
        await self._within(DRAIN_TIMEOUT, self.outbox.drained(), "not all was said in time")
        # What webhooks say is on the disk, too.
        kept = self.webhooks.under_way if self.webhooks is not None else 0
        if (lost := len(self.outbox) - kept) > 0:
            self._log.error("{count} answers are lost", count=lost)
        if self.say is not None:
            await self.say.stop()
        await self.adapter.stop()
        await self._within(
            WIND_DOWN_TIMEOUT, self._threads.wind_down(), "a program did not end in time"
        )
        if self.journal is not None:
            await self.journal.close()
        await self.brain.close()
        if self.webhooks is not None:
            await self.webhooks.close()
        if self.embedded is not None:
            await self.embedded.stop()

    # Reloading

    async def _reload_in_public(self) -> None:
        self._become(Phase.RELOADING)
        try:
            await self._reload()
        finally:
            self._become(Phase.RUNNING)

    async def _reload(self) -> None:
        try:
            config, plan, responders, journal = await self._prepare()
        except InvalidConfig as invalid:
            for problem in invalid.problems:
                self._log.error("reload refused: {problem}", problem=str(problem))
            return
        except UnusableJournal as unusable:
            self._log.error("reload refused: {problem}", problem=str(unusable))
            return
        if not self.running:
            self._lives.discard(responders)
            if journal is not None and journal is not self.journal:
                await journal.close()
            return
        self._log.info("reload: {plan}", plan=str(plan))
        has_new_journal = journal is not self.journal
        self.config, self.journal = config, journal
        self.got_config(config)
        if journal is not None:
            journal.change(config.bot.journal_keep)
        # All in one turn of the reactor: no message comes in between.
        self._limits.change(config.bot.sender_rate, config.bot.room_rate)
        self.dispatcher.change(
            responders,
            name=config.bot.name,
            prefix=config.bot.prefix,
            rooms=_rooms(config),
            journal=journal,
        )
        self.dispatcher.tells_all = config.bot.log_level.shows_debug
        self._lives.take_over(responders)
        self._responders = responders
        self._warn_of_slow_patterns()
        if plan.account:
            await self._connect_anew()
        else:
            self._apply(plan)
        await self._listen_anew()
        if has_new_journal:
            self.dispatcher.report_interrupted(self.outbox.put)

    async def _prepare(
        self,
    ) -> tuple[Config, Plan, tuple[Responder, ...], IJournal | None]:
        """Everything that can fail, before anything changes."""
        from xbot.plan import plan as plan_between

        path = self.config.path
        config = self._load(path)
        files = file_digests(config.xmpp)
        changed = [name for name, digest in files.items() if self._files.get(name) != digest]
        plan = plan_between(self.config, config, changed)
        if plan.restart:
            raise InvalidConfig(
                [
                    Problem(
                        path,
                        line_of(path, "xbot", option),
                        "xbot",
                        option,
                        "cannot change while the bot runs: restart it",
                    )
                    for option in plan.restart
                ]
            )
        if plan.account:
            # Whether the new connection's files are good; the embedded server has none.
            make_account(config, None)
            make_endpoint(config, self._reactor, None)
        journal = self.journal
        # What fails leaves the old modules where they were.
        with fresh_modules(modules_of(config.responders)):
            responders = load_responders(config.responders, self._surroundings)
            try:
                if journal is None:
                    journal = self._journal_for(config, responders)
                    if journal is not None:
                        await journal.open()
                await self._lives.prepare(responders, config.responders)
            except BaseException:
                self._lives.discard(responders)
                if journal is not None and journal is not self.journal:
                    await journal.close()
                raise
        return config, plan, responders, journal

    def _apply(self, plan: Plan) -> None:
        """The same account: nothing but what differs is touched."""
        for jid in plan.leave:
            self.adapter.leave(str(jid))
        self.adapter.change(self.config.xmpp, self.config.bot.name)
        for room in (*plan.join, *plan.change):
            self.adapter.join(room)

    async def _listen_anew(self) -> None:
        before = self.web.settings if self.web is not None else None
        if before == self.config.http:
            await self._change_webhooks()
            return
        web, self.web = self.web, None
        if web is not None:
            await web.stop()
        if self.running:
            self.web = self._web(self.config)
        await self._change_webhooks()
        if self.running and self.web is not None:
            self.web.start()

    async def _change_webhooks(self) -> None:
        if self.webhooks is None:
            return
        try:
            await self.webhooks.change(self.config.webhooks)
        except UnusableFile as unusable:
            self._log.error("webhooks cannot be used: {problem}", problem=str(unusable))

    async def _connect_anew(self) -> None:
        """Another account, or another way to it. What waits in the outbox waits on."""
        if self.adapter.connection.stream is not None:
            await self._within(HAND_OVER_TIMEOUT, self.outbox.drained(), "not all was said in time")
        await self.adapter.stop()
        if self.embedded is not None:
            await self.embedded.stop()
        if not self.running:
            return
        config = self.config
        self.embedded = _embedded(config, self._reactor)
        self._files = file_digests(config.xmpp)
        self.adapter = self._adapter(config)
        if self.embedded is not None:
            await self.embedded.start()
        if self.running:
            self.adapter.start()

    # The parts

    def _adapter(self, config: Config) -> XmppAdapter:
        adapter = XmppAdapter(
            config.xmpp,
            make_account(config, self.embedded),
            make_endpoint(config, self._reactor, self.embedded),
            config.rooms,
            lambda message: self.dispatcher.got_message(message),
            self.outbox,
            lambda problem: self._gave_up(str(problem)),
            clock=self._reactor,
            uniform=random.uniform,
            in_thread=self._login_threads,
            invited=InvitedRooms(config.bot.state / ROOMS_NAME),
            nick=config.bot.name,
            trace=self._trace,
            ignores=self.dispatcher.ignores,
        )
        adapter.connection.changed = self._got_status
        return adapter

    def _taker(self, webhook: str) -> TakesPost | None:
        """What takes the posts of the webhook of this name, which is left to a responder."""
        scopes = (each.scope for each in self._responders if each.scope is not None)
        return next((scope.posts[webhook] for scope in scopes if webhook in scope.posts), None)

    def _put(
        self, message: Message, delivered: Callable[[], None], failed: Callable[[], None]
    ) -> bool:
        """For who has to know what becomes of it, and whether the outbox has room for it."""
        if not self.outbox.has_room_for(message):
            return False
        self.outbox.put(message, delivered, failed)
        return True

    def _web(self, config: Config) -> StatusServer | None:
        if config.http is None:
            return None
        # Few bots have it, and none of the others pays for it.
        from xbot.web.service import StatusServer

        if self.webhooks is None:
            self.webhooks = self._door(config)
        return StatusServer(
            config.http, self.overview, self._reactor, self._wall_clock, self.webhooks
        )

    def _door(self, config: Config) -> Door:
        from xbot.webhooks.door import Door
        from xbot.webhooks.file import FILE_NAME
        from xbot.webhooks.spool import Spool

        spool = Spool(
            config.bot.state / FILE_NAME,
            str(config.xmpp.jid),
            self._put,
            self._reactor,
            wall_clock=self._wall_clock,
        )
        return Door(spool, self._reactor, self._taker)

    def _surround(self, config: Config) -> Surroundings:
        return Surroundings(
            self._reactor,
            self._threads,
            lambda message: self.outbox.put(message),
            self.brain.namespace,
            self.brain.flushed,
            lambda room: self.adapter.rooms.get(Jid.parse(room)) is not None,
            str(config.xmpp.jid),
            Itself(
                self._reactor,
                address=str(config.xmpp.jid),
                adapter=lambda: self.adapter,
                dispatcher=lambda: self.dispatcher,
                overview=self.overview,
                named=lambda: {str(room.jid) for room in self.config.rooms},
                nick=lambda: self.config.bot.name,
            ),
        )

    def _journal_for(self, config: Config, responders: Sequence[Responder]) -> IJournal | None:
        if not any(responder.has_effects for responder in responders):
            return None
        path = config.bot.state / JOURNAL_NAME
        return Journal(path, self._reactor, keep=config.bot.journal_keep)

    async def _within(self, seconds: float, ending: Deferred[Any], otherwise: str) -> None:
        try:
            await ending.addTimeout(seconds, self._reactor)
        except TimeoutError:
            self._log.warn("{otherwise}; leaving all the same", otherwise=otherwise)


def _rooms(config: Config) -> Rooms:
    """What may answer where."""
    return {str(room.jid): room.responders for room in config.rooms}


def _embedded(config: Config, reactor: Any) -> Embedded | None:
    if config.xmpp.server != EMBEDDED:
        return None
    # A bot with a real server needs none of it.
    from xbot.embedded import Embedded

    return Embedded(config, reactor)
