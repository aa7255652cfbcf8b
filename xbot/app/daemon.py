"""The daemon that twistd runs: the bot's service with logging, SIGHUP and systemd."""

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
from twisted.python.logfile import LogFile

from xbot.app.service import BotService
from xbot.app.state_folder import check_state
from xbot.chat.xmpp.wire.wire_log import NAMESPACE as WIRE
from xbot.chat.xmpp.wire.wire_log import WireLog
from xbot.config.settings import BotSettings, Config
from xbot.control.server import SayServer
from xbot.logs.levels import Levels
from xbot.logs.observer import LogWriter, is_journal
from xbot.logs.repeats import WINDOW
from xbot.model.errors import EXIT_CONFIG, reason
from xbot.process import systemd
from xbot.process.sighup import SighupService
from xbot.process.steady_clock import make_steady
from xbot.text.terminal import show_all

_log = Logger("xbot")


def make_daemon(
    config: Config, reactor: Any, twistd: Mapping[str, Any], *, is_traced: bool
) -> IService:
    """Make the service tree for ``config`` on ``reactor``; SIGHUP reloads the ini.

    ``twistd`` are the options of twistd itself.

    :raises InvalidConfig: with the mistakes in its responders or files.
    """
    check_state(config)
    make_steady(reactor)
    exit_status = _ExitStatus()

    def gave_up(reason: str) -> None:
        _log.critical("xbot stops, and comes back only after a change: {reason}", reason=reason)
        exit_status.value = EXIT_CONFIG
        _stop(reactor)

    trace = WireLog() if is_traced else None
    bot = BotService(config, reactor, gave_up, trace=trace)
    daemon = Daemon(config.bot, twistd, reactor, is_traced=is_traced)
    bot.got_reload, bot.got_config = daemon.got_reload, daemon.got_config
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
    """The root of the services; installs the log observer.

    The log goes to standard output or to twistd's ``--logfile``, which is opened again at each
    reload, as after logrotate moved it. With ``--syslog`` or ``--logger`` it is twistd's own.
    """

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
        self._log_file: LogFile | None = None

    def setServiceParent(self, parent: Any) -> None:
        """Install the log observer; twistd calls this before its logging begins."""
        is_twistds = self._twistd.get("logger") or self._twistd.get("syslog")
        if isinstance(parent, Componentized) and not is_twistds:
            stream = self._stream()
            for_journal = self._log_file is None and is_journal(stream, os.environ)
            levels, form = self._levels(self._settings), self._settings.log_format
            show_all(stream)
            self._log = LogWriter(stream, levels, form, for_journal=for_journal)
            parent.setComponent(ILogObserver, self._log)
        super().setServiceParent(parent)

    def _stream(self) -> Any:
        """Where the log goes: ``--logfile``, in the background ``twistd.log``, else stdout."""
        path = self._twistd.get("logfile")
        if path == "-" or (not path and self._twistd.get("nodaemon", True)):
            # Standard output may be closed; the log is then discarded.
            return sys.stdout or open(os.devnull, "w")
        self._log_file = LogFile.fromFullPath(os.path.abspath(path or "twistd.log"))
        return self._log_file

    def startService(self) -> None:
        super().startService()
        self._flushing.start(WINDOW).addErrback(_cannot_flush)
        # The objects that exist by now live as long as the process. Without freeze,
        # each full garbage collection would traverse them and block the reactor for
        # a twentieth of a second, which enough traffic can trigger again and again.
        gc.freeze()

    def stopService(self) -> Any:
        # It does not run if it failed, which was logged.
        if self._flushing.running:
            self._flushing.stop()
        return super().stopService()

    def got_reload(self) -> None:
        """Open the log file again: logrotate may have moved it."""
        if self._log_file is not None:
            try:
                self._log_file.reopen()
            except OSError as error:
                _log.error("the log file is not opened again: {reason}", reason=reason(error))

    def got_config(self, config: Config) -> None:
        """Apply the log settings of a reloaded ini."""
        if self._log is not None:
            self._log.change(self._levels(config.bot), config.bot.log_format)

    def _levels(self, bot: BotSettings) -> Levels:
        return bot.log_level.also(WIRE, "debug") if self._is_traced else bot.log_level

    def _flush(self) -> None:
        if self._log is not None:
            self._log.flush()

    def got_end(self) -> None:
        """Flush the rest of the log; called after the reactor's shutdown."""
        if self._log is not None:
            self._log.flush(everything=True)


def _cannot_flush(failure: Failure) -> None:
    _log.failure("the log is not written", failure)


class _ExitStatus:
    """The exit status of the process. COMPAT: twistd exits 0 after any ``reactor.stop()``."""

    value = 0

    def __init__(self) -> None:
        # Registered first, so it runs after all other exit handlers.
        atexit.register(self._exit)

    def _exit(self) -> None:
        if self.value:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.value)


def _stop(reactor: Any) -> None:
    # stop() raises before the reactor runs and after it stopped.
    reactor.callLater(0, lambda: reactor.running and reactor.stop())
