"""BotService: the whole bot of one configuration as a Twisted service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from xbot.app.assembly import Assembly, Prepared
from xbot.app.http import HttpServices
from xbot.app.networks import make_network
from xbot.app.reload_queue import ReloadQueue
from xbot.app.resources import Resources
from xbot.app.status_report import command, is_command, skill
from xbot.chat.interfaces import IAdapter, INetwork, NetworkEnvironment
from xbot.config import line_of, load
from xbot.config.settings import Config
from xbot.control.server import BotCalls, SayServer
from xbot.engine.dispatch.runs import Run
from xbot.engine.loading.pattern_lint import mistaken_patterns
from xbot.engine.loading.warnings import (
    on_all_interfaces,
    out_of_reach,
    slow_patterns,
    unasked,
    unreachable,
    without_a_shell,
)
from xbot.model.errors import InvalidConfig, Problem
from xbot.model.file_state import UnusableFile
from xbot.model.jid import Jid
from xbot.model.recent_events import Change, RecentEvents
from xbot.model.status import Overview, Phase, Reload
from xbot.process.shutdown import DRAIN_TIMEOUT
from xbot.state.interfaces import IJournal

if TYPE_CHECKING:
    from xbot.config.reload_plan import Plan


class BotService(Service):
    """One bot. ``gave_up(reason)`` is called when the bot cannot go on without an operator.

    The constructor loads the responders, and raises
    :class:`~xbot.model.errors.InvalidConfig` with the mistakes; nothing connects or
    listens before :meth:`startService`. ``load`` reads the ini again, for
    :meth:`reload`. ``trace`` logs the traffic on the wire. Optional attributes:
    ``got_phase`` is called with each new ``phase``, ``got_reload`` before each reload,
    ``got_config`` with each reloaded configuration, and ``say`` is the control socket's server.
    """

    _log = Logger("xbot")

    def __init__(
        self,
        config: Config,
        reactor: Any,
        gave_up: Callable[[str], None],
        load: Callable[[Path], Config] = load,
        trace: Any = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.phase = Phase.STARTING
        self.got_phase: Callable[[Phase], object] = lambda phase: None
        self.got_reload: Callable[[], object] = lambda: None
        self.got_config: Callable[[Config], object] = lambda config: None
        self.recent = RecentEvents()
        self.last_reload = Reload(wall_clock(), wall_clock())
        self._wall_clock = wall_clock
        self._began: float = reactor.seconds()
        self._reactor = reactor
        self._gave_up = gave_up
        self._load = load
        self._reload_queue = ReloadQueue(reactor, self._reload_and_tell)
        self._resources = Resources(reactor, config.bot.state)
        self._assembly = Assembly(
            config,
            reactor,
            in_thread=self._resources.in_thread,
            brain=self._resources.brain,
            make_journal=self._resources.make_journal,
            worker=self._resources.guarded_search,
            overview=self.overview,
            wall_clock=wall_clock,
            ended=self._got_run,
        )
        # These stay the same objects across reloads.
        self.brain = self._resources.brain
        self.outbox = self._assembly.outbox
        self.dispatcher = self._assembly.dispatcher
        self.network: INetwork = make_network(
            reactor,
            NetworkEnvironment(
                config=lambda: self.config,
                got_message=self.dispatcher.got_message,
                ignores=self.dispatcher.ignores,
                receipts=self.outbox,
                drain=self._assembly.drain,
                is_running=lambda: bool(self.running),
                gave_up=gave_up,
                got_change=self._got_change,
                got_adapter=self._got_adapter,
            ),
            trace,
        )
        self.http = HttpServices(self._assembly, reactor, self.overview, wall_clock)
        self.say: SayServer | None = None

    @property
    def config(self) -> Config:
        return self._assembly.config

    @property
    def journal(self) -> IJournal | None:
        """The journal; None while no responder has had effects."""
        return self._assembly.journal

    def startService(self) -> None:
        """Start the bot; with ``server = embedded``, the embedded server first."""
        super().startService()
        started = Deferred.fromCoroutine(self._start())
        started.addErrback(self._cannot_start)

    def stopService(self) -> Deferred[None]:
        """End the runs under way, send what is queued, log out, and close all files."""
        super().stopService()
        self._become(Phase.STOPPING)
        return Deferred.fromCoroutine(self._stop())

    def reload(self) -> Deferred[None]:
        """Read the ini again and apply it; an invalid ini is logged and changes nothing.

        Requests during a reload coalesce into one more reload. The Deferred fires, and
        never fails, when the reload is done.
        """
        return self._reload_queue.ask()

    def overview(self) -> Overview:
        """The status of the bot now."""
        now = self._reactor.seconds()
        return Overview(
            self.phase,
            self.network.link(now),
            tuple(self.network.places(now)),
            jid=self.network.account,
            name=self.config.bot.name,
            uptime=now - self._began,
            waiting=len(self.outbox),
            journal=str(self.journal.state) if self.journal is not None else None,
            fates=dict(self.dispatcher.fates),
            dropped=dict(self.network.dropped),
            skills=tuple(map(skill, self._assembly.responders)),
            commands=tuple(self.recent.commands),
            changes=tuple(self.recent.changes),
            posts=self.http.posts,
            reload=self.last_reload,
            writable=self._writable(),
        )

    def _writable(self) -> dict[str, bool]:
        files = {"brain": self.brain.state, "webhooks": self.http.spool_state}
        if self.journal is not None:
            files["journal"] = self.journal.state
        return {name: state.problem is None for name, state in files.items() if state is not None}

    def for_scripts(self) -> BotCalls:
        """What the control socket (``xbot say``, ``xbot status``) can ask of the bot."""

        def hindrance(jid: Jid) -> str:
            if not self.network.is_connected:
                return self.overview().in_words()
            return str(self.network.why_not_in(str(jid)))

        def status() -> tuple[bool, str]:
            overview = self.overview()
            return overview.is_ready, overview.in_words()

        async def reload() -> str:
            await self.reload()
            return self.last_reload.problem or ""

        return BotCalls(
            lambda jid: bool(self.network.knows_room(str(jid))),
            lambda jid: self.config.may_write_to(jid),
            self._assembly.offer,
            lambda id: self.outbox.rejections.get(id, ""),
            hindrance,
            status,
            lambda: str(self.config.xmpp.jid.bare),
            lambda: Deferred.fromCoroutine(reload()),
        )

    def _got_run(self, run: Run) -> None:
        if not is_command(run):
            return
        done = command(run, self._wall_clock(), self._reactor.seconds())
        self.recent.commands.append(done)
        self.http.got_command(done)

    def _got_change(self, state: str, problem: str | None) -> None:
        self.recent.changes.append(Change(self._wall_clock(), state, problem))

    def _got_adapter(self, adapter: IAdapter) -> None:
        self._assembly.adapter = adapter

    def remarks(self) -> list[Problem]:
        """Warnings about the ini: valid, but probably not what its author meant."""
        responders, settings = self._assembly.responders, self.config.responders
        return [
            *self._warnings(),
            *unreachable(responders, settings, self._assembly.rooms),
            *out_of_reach(self.config),
            *on_all_interfaces(self.config),
            *without_a_shell(settings),
        ]

    def _warnings(self) -> Iterator[Problem]:
        """The remarks that the log has, too."""
        responders, settings = self._assembly.responders, self.config.responders
        yield from self.config.warnings
        yield from slow_patterns(responders, settings)
        yield from unasked(responders, settings)
        yield from mistaken_patterns(responders, settings, self.config.bot)

    def _warn(self) -> None:
        for remark in self._warnings():
            self._log.warn("{remark}", remark=str(remark))

    def _become(self, phase: Phase) -> None:
        # A reload that ends during the shutdown must not set the phase back to RUNNING.
        if self.phase is not Phase.STOPPING:
            self.phase = phase
            self.got_phase(phase)

    async def _start(self) -> None:
        self._warn()
        await self.network.start()
        await self._assembly.open()
        await self.http.start()
        if self.say is not None:
            self.say.start()
        self._assembly.begin()
        # Not awaited: while the disk fails, it would not return.
        self.dispatcher.report_interrupted(self.outbox.put)
        self._reload_queue.begin()
        self._become(Phase.RUNNING)

    def _cannot_start(self, failure: Failure) -> None:
        if not failure.check(UnusableFile):
            self._log.failure("cannot start", failure)
        self._gave_up(f"cannot start: {failure.getErrorMessage()}")

    async def _stop(self) -> None:
        self._reload_queue.end()
        self.dispatcher.stop()
        self._resources.guarded_search.stop()
        await self.http.stop()
        await self._assembly.close_responders()
        # Also while disconnected: the connection may come back in time.
        await self._assembly.drain(DRAIN_TIMEOUT)
        if (lost := len(self.outbox) - self.outbox.kept) > 0:
            self._log.error("{count} answers are lost", count=lost)
        if self.say is not None:
            await self.say.stop()
        await self.network.stop()
        await self._resources.wind_down()
        await self._assembly.close()
        await self.http.close()
        await self.network.close()

    # Reloading

    async def _reload_and_tell(self) -> None:
        self.got_reload()
        self._become(Phase.RELOADING)
        try:
            await self._reload()
        finally:
            self._become(Phase.RUNNING)

    async def _reload(self) -> None:
        try:
            plan, prepared = await self._prepare()
        except InvalidConfig as invalid:
            self._refuse_reload(list(map(str, invalid.problems)))
            return
        except UnusableFile as unusable:
            self._refuse_reload([str(unusable)])
            return
        if not self.running:
            await self._assembly.discard(prepared)
            return
        self._log.info("reload: {plan}", plan=str(plan))
        self.last_reload = Reload(self._wall_clock(), self._wall_clock())
        self._assembly.take_over(prepared)
        self.got_config(self.config)
        self._warn()
        if plan.account:
            await self.network.renew()
        else:
            self.network.change(plan)
        await self.http.change()
        if prepared.new_journal is not None:
            self.dispatcher.report_interrupted(self.outbox.put)

    def _refuse_reload(self, problems: list[str]) -> None:
        for problem in problems:
            self._log.error("reload refused: {problem}", problem=problem)
        first, others = problems[0], len(problems) - 1
        told = f"{first} (and {others} more)" if others else first
        self.last_reload = evolve(self.last_reload, when=self._wall_clock(), problem=told)

    async def _prepare(self) -> tuple[Plan, Prepared]:
        """Do every step that can fail, before anything changes."""
        from xbot.config.reload_plan import plan as plan_between

        path = self.config.path
        config = self._load(path)
        plan = plan_between(self.config, config, self.network.changed_files(config))
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
            self.network.check(config)
        return plan, await self._assembly.prepare(config)
