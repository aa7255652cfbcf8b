"""twistd plug-in ``twistd xbot``: options and service; the only user of the global reactor.

twistd imports this module before it parses the command line. The rest of the bot
is imported inside the functions, while the garbage collector is paused.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.application.service import IService
from twisted.python import usage

from xbot.model.errors import EXIT_CONFIG, InvalidConfig
from xbot.process.gc_pause import paused

if TYPE_CHECKING:
    from xbot.config.settings import Config


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
        [
            "trace",
            None,
            "Log all XMPP traffic, without passwords, as xbot.chat.xmpp.wire.",
        ]
    ]

    # For zsh's completion of twistd.
    compData = usage.Completions(optActions={"config": usage.CompleteFiles("*.ini")})

    loaded: Config

    def postOptions(self) -> None:
        """Read the ini, so that a mistake in it is reported before anything starts."""
        path = self["config"]
        try:
            with paused():
                from xbot import config

                self.loaded = config.load(Path(path) if path else config.find())
        except InvalidConfig as invalid:
            refuse(invalid)
        parent = getattr(self, "parent", None)
        if parent and parent.get("nodaemon") and parent.get("pidfile") == "twistd.pid":
            # COMPAT: twistd -n writes ./twistd.pid, and a stale one prevents the
            # next start; a process in the foreground needs no PID file.
            parent["pidfile"] = ""


def refuse(invalid: InvalidConfig) -> None:
    """Write every mistake to standard error, and exit with status 78."""
    for problem in invalid.problems:
        sys.stderr.write(f"{problem}\n")
    raise SystemExit(EXIT_CONFIG)


def makeService(options: Options) -> IService:
    """The service of the bot that the ini describes; SIGHUP reloads the ini."""
    twistd = getattr(options, "parent", None) or {}
    if os.getpid() == 1 and twistd.get("nodaemon"):
        # In a container. Here, because no thread, socket or child process is there yet.
        from xbot.process.container_init import leave_init

        leave_init(os.environ)
    try:
        with paused():
            from twisted.internet import reactor

            from xbot.app.daemon import make_daemon

            return make_daemon(options.loaded, reactor, twistd, is_traced=bool(options["trace"]))
    except InvalidConfig as invalid:
        refuse(invalid)
        raise
