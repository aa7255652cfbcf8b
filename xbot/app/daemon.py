"""What twistd runs: the bot's service among those that belong to a daemon."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Mapping
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized
from twisted.python.failure import Failure

from xbot.app.service import BotService
from xbot.chat.xmpp.wire.wire_log import NAMESPACE as WIRE
from xbot.chat.xmpp.wire.wire_log import WireLog
from xbot.config.settings import BotSettings, Config
from xbot.control.server import SayServer
from xbot.logs.levels import Levels
from xbot.logs.observer import LogWriter, is_journal
from xbot.logs.repeats import WINDOW
from xbot.model.errors import EXIT_CONFIG
from xbot.process import systemd
from xbot.process.sighup import SighupService
from xbot.process.steady_clock import make_steady
from xbot.text.terminal import show_all

_log = Logger("xbot")


def make_daemon(
    config: Config, reactor: Any, twistd: Mapping[str, Any], *, is_traced: bool
) -> IService:
    """The bot that ``config`` describes, on ``reactor``; SIGHUP makes it read the ini again.

    ``twistd`` are the options of twistd itself.

    :raises InvalidConfig: with what is wrong with its responders or its files.
    """
    make_steady(reactor)
    exit_status = _ExitStatus()

    def gave_up(reason: str) -> None:
        _log.critical("xbot stops, and comes back only after a change: {reason}", reason=reason)
        exit_status.value = EXIT_CONFIG
        _stop(reactor)

    trace = WireLog() if is_traced else None
    bot = BotService(config, reactor, gave_up, trace=trace)
    daemon = Daemon(config.bot, twistd, reactor, is_traced=is_traced)
    bot.got_config = daemon.got_config
    bot.say = SayServer(config.bot.state, bot.for_scripts(), reactor)
    reactor.addSystemEventTrigger("after", "shutdown", daemon.got_end)
    # Before the bot, which says when it is ready to be told to reload.
    SighupService(reactor, bot.reload).setServiceParent(daemon)
    bot.setServiceParent(daemon)
    notifier = systemd.notifier()
    if notifier is not None:
        told = systemd.Systemd(notifier, reactor, bot.overview)
        told.setServiceParent(daemon)
        bot.got_phase = told.got_phase
    return daemon


class Daemon(MultiService):
    """The top of the services; it brings our log to twistd, unless twistd was told of another."""

    def __init__(
        self,
        settings: BotSettings,
        twistd: Mapping[str, Any],
        clock: Any,
        *,
        is_traced: bool = False,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._twistd = twistd
        self._is_traced = is_traced
        # No TimerService: importing it, and Automat with it, takes as long as a login.
        self._flushing = LoopingCall(self._flush)
        self._flushing.clock = clock
        self._log: LogWriter | None = None

    def setServiceParent(self, parent: Any) -> None:
        """Called with the application, before its logging begins."""
        asked_for_another = any(self._twistd.get(name) for name in ("logfile", "logger", "syslog"))
        # In the background there is no standard output; there twistd writes twistd.log.
        is_in_sight = self._twistd.get("nodaemon", True)
        if isinstance(parent, Componentized) and is_in_sight and not asked_for_another:
            # It may be closed, and nobody interested.
            stream = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - as long as the process
            for_journal = is_journal(stream, os.environ)
            levels, form = self._levels(self._settings), self._settings.log_format
            show_all(stream)
            self._log = LogWriter(stream, levels, form, for_journal=for_journal)
            parent.setComponent(ILogObserver, self._log)
        super().setServiceParent(parent)

    def startService(self) -> None:
        """Begin."""
        super().startService()
        self._flushing.start(WINDOW).addErrback(_cannot_flush)
        # What is there by now stays. To look through all of it again and again for
        # what is not needed any more would hold the reactor for a twentieth of a
        # second each time, whenever somebody sends enough.
        gc.freeze()

    def stopService(self) -> Any:
        """End what runs."""
        # It is not where it failed, which was told.
        if self._flushing.running:
            self._flushing.stop()
        return super().stopService()

    def got_config(self, config: Config) -> None:
        """The ini was read again."""
        if self._log is not None:
            self._log.change(self._levels(config.bot), config.bot.log_format)

    def _levels(self, bot: BotSettings) -> Levels:
        return bot.log_level.also(WIRE, "debug") if self._is_traced else bot.log_level

    def _flush(self) -> None:
        if self._log is not None:
            self._log.flush()

    def got_end(self) -> None:
        """Nothing runs any more."""
        if self._log is not None:
            self._log.flush(everything=True)


def _cannot_flush(failure: Failure) -> None:
    _log.failure("the log is not written", failure)


class _ExitStatus:
    """What the process exits with. COMPAT: twistd exits 0 after any ``reactor.stop()``."""

    value = 0

    def __init__(self) -> None:
        # Registered first and so run last, when all else that exits has exited.
        atexit.register(self._exit)

    def _exit(self) -> None:
        if self.value:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.value)


def _stop(reactor: Any) -> None:
    # Before the reactor runs it cannot be stopped, and after it stopped neither.
    reactor.callLater(0, lambda: reactor.running and reactor.stop())
