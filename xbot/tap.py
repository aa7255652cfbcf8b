"""``twistd xbot``: the options and the service (the only place that takes the global reactor)."""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.logger import ILogObserver, Logger
from twisted.python import usage
from twisted.python.components import Componentized

from xbot import config, logs, systemd
from xbot.errors import EXIT_CONFIG, InvalidConfig
from xbot.hangup import HangUp
from xbot.service import BotService
from xbot.settings import Config

_log = Logger("xbot")


class Options(usage.Options):
    """``twistd -n xbot [--config FILE]``."""

    synopsis = "[--config FILE]"
    longdesc = (
        "Joins the rooms that the ini names and answers what is said there. Without --config:"
        " $CONFIGURATION_DIRECTORY/xbot.ini, then /etc/xbot/xbot.ini, then etc/xbot.ini."
        " Exits with 78 when only a person can help: a mistake in the ini, a password that the"
        " server refuses."
    )
    optParameters = [["config", "c", None, "The ini to read."]]  # noqa: RUF012

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

    exit_status = _ExitStatus()

    def gave_up(reason: str) -> None:
        _log.critical("xbot stops, and comes back only after a change: {reason}", reason=reason)
        exit_status.value = EXIT_CONFIG
        _stop(reactor)

    try:
        bot = BotService(options.loaded, reactor, gave_up)
    except InvalidConfig as invalid:
        refuse(invalid)
        raise
    daemon = _Daemon(options)
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

    def setServiceParent(self, parent: Any) -> None:
        """Called with the application, before its logging begins."""
        twistd = getattr(self._options, "parent", None) or {}
        asked_for_another = any(twistd.get(name) for name in ("logfile", "logger", "syslog"))
        if isinstance(parent, Componentized) and not asked_for_another:
            parent.setComponent(
                ILogObserver, logs.observer(sys.stdout, self._options.loaded.bot.log_level)
            )
        super().setServiceParent(parent)


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
