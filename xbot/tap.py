"""``twistd xbot``: the options and the service (the only place that takes the global reactor)."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from pathlib import Path
from typing import Any

from twisted.application.internet import TimerService
from twisted.application.service import IService, MultiService
from twisted.logger import ILogObserver, Logger
from twisted.python import usage
from twisted.python.components import Componentized

from xbot import config, systemd
from xbot.errors import EXIT_CONFIG, InvalidConfig
from xbot.hangup import HangUp
from xbot.logs.levels import Levels
from xbot.logs.observer import LogWriter, is_journal
from xbot.logs.repeats import WINDOW
from xbot.saying.server import SayServer
from xbot.service import BotService
from xbot.settings import BotSettings, Config
from xbot.steady import make_steady
from xbot.xmpp.trace import NAMESPACE as WIRE
from xbot.xmpp.trace import Trace

_log = Logger("xbot")


class Options(usage.Options):
    """``twistd -n xbot [--config FILE] [--trace]``."""

    synopsis = "[--config FILE] [--trace]"
    longdesc = (
        "Joins the rooms that the ini names and answers what is said there. Without --config:"
        " $CONFIGURATION_DIRECTORY/xbot.ini, then /etc/xbot/xbot.ini, then etc/xbot.ini."
        " Exits with 78 when only a person can help: a mistake in the ini, a password that the"
        " server refuses."
    )
    optParameters = [["config", "c", None, "The ini to read."]]  # noqa: RUF012
    optFlags = [  # noqa: RUF012
        ["trace", None, "Log all that goes over the wire, without passwords, as xbot.xmpp.wire."]
    ]

    # What _twistd, zsh's completion, offers.
    compData = usage.Completions(optActions={"config": usage.CompleteFiles("*.ini")})

    loaded: Config

    def postOptions(self) -> None:
        """Read the ini: a mistake in it is told before anything starts."""
        path = self["config"]
        try:
            self.loaded = config.load(Path(path) if path else config.find())
        except InvalidConfig as invalid:
            refuse(invalid)
        parent = getattr(self, "parent", None)
        if parent and parent.get("nodaemon") and parent.get("pidfile") == "twistd.pid":
            # COMPAT: twistd -n writes ./twistd.pid, and a stale one refuses the
            # next start; whoever runs it in the foreground knows its process.
            parent["pidfile"] = ""


def refuse(invalid: InvalidConfig) -> None:
    """Tell every mistake, and exit with 78."""
    for problem in invalid.problems:
        sys.stderr.write(f"{problem}\n")
    raise SystemExit(EXIT_CONFIG)


def makeService(options: Options) -> IService:
    """The bot that the ini describes; SIGHUP makes it read the ini again."""
    from twisted.internet import reactor

    make_steady(reactor)
    exit_status = _ExitStatus()

    def gave_up(reason: str) -> None:
        _log.critical("xbot stops, and comes back only after a change: {reason}", reason=reason)
        exit_status.value = EXIT_CONFIG
        _stop(reactor)

    try:
        trace = Trace() if options["trace"] else None
        bot = BotService(options.loaded, reactor, gave_up, trace=trace)
    except InvalidConfig as invalid:
        refuse(invalid)
        raise
    daemon = _Daemon(options)
    bot.got_config = daemon.got_config
    bot.say = SayServer(options.loaded.bot.state, bot.for_scripts(), reactor)
    reactor.addSystemEventTrigger("after", "shutdown", daemon.got_end)
    # Before the bot, which says when it is ready to be told to reload.
    HangUp(reactor, bot.reload).setServiceParent(daemon)
    bot.setServiceParent(daemon)
    notifier = systemd.notifier()
    if notifier is not None:
        told = systemd.Systemd(notifier, reactor, bot.overview)
        told.setServiceParent(daemon)
        bot.got_phase = told.got_phase
    return daemon


class _Daemon(MultiService):
    """The top of the services; it brings our log to twistd, unless twistd was told of another."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._options = options
        self._log: LogWriter | None = None

    def setServiceParent(self, parent: Any) -> None:
        """Called with the application, before its logging begins."""
        twistd = getattr(self._options, "parent", None) or {}
        asked_for_another = any(twistd.get(name) for name in ("logfile", "logger", "syslog"))
        if isinstance(parent, Componentized) and not asked_for_another:
            bot = self._options.loaded.bot
            for_journal = is_journal(sys.stdout, os.environ)
            self._log = LogWriter(
                sys.stdout, self._levels(bot), bot.log_format, for_journal=for_journal
            )
            parent.setComponent(ILogObserver, self._log)
            TimerService(WINDOW, self._log.flush).setServiceParent(self)
        super().setServiceParent(parent)

    def startService(self) -> None:
        """Begin."""
        super().startService()
        # What is there by now stays. To look through all of it again and again for
        # what is not needed any more would hold the reactor for a twentieth of a
        # second each time, whenever somebody sends enough.
        gc.freeze()

    def got_config(self, config: Config) -> None:
        """The ini was read again."""
        if self._log is not None:
            self._log.change(self._levels(config.bot), config.bot.log_format)

    def _levels(self, bot: BotSettings) -> Levels:
        return bot.log_level.also(WIRE, "debug") if self._options["trace"] else bot.log_level

    def got_end(self) -> None:
        """Nothing runs any more."""
        if self._log is not None:
            self._log.flush(everything=True)


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
