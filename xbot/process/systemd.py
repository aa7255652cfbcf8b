"""What systemd is told of the bot: sd_notify(3), by hand."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from xbot.logs.text import escape
from xbot.model.status import Overview, Phase

#: Seconds between two looks at how the bot is.
BEAT = 1.0


class Notifier:
    """The service manager's end of the line. What it does not take is lost.

    ``watchdog`` is after how many seconds of silence it ends us, or None.
    """

    _log = Logger("xbot.process.systemd")

    def __init__(self, address: str, watchdog: float | None = None) -> None:
        # A leading @ is Linux's abstract namespace, as systemd writes it.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog = watchdog

    @classmethod
    def take(cls, environ: MutableMapping[str, str], process: int) -> Notifier | None:
        """What ``environ`` tells ``process`` of, out of which it is taken; None without one.

        No program that a responder runs shall speak for us.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        period = environ.pop("WATCHDOG_USEC", "")
        whose = environ.pop("WATCHDOG_PID", "") or str(process)
        if not address.startswith(("/", "@")):
            return None
        is_watched = period.isdecimal() and int(period) > 0 and whose == str(process)
        return cls(address, int(period) / 1e6 if is_watched else None)

    def tell(self, *facts: str) -> None:
        """Send some ``NAME=value`` in one datagram."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                # Never wait for who does not read.
                line.setblocking(False)
                line.sendto("\n".join(facts).encode("utf-8", "replace"), self._address)
        except OSError as error:
            self._log.debug("not told to systemd: {reason}", reason=str(error))


class Systemd(Service):
    """Tells ``notifier`` what the bot does, and that it is alive, while it runs.

    ``look`` gives the bot's :class:`~xbot.model.status.Overview`. The watchdog is
    fed by the reactor's turning, and not while the connection stands still
    where it should have moved; a server that is away is no reason.
    """

    _log = Logger("xbot.process.systemd")

    def __init__(self, notifier: Notifier, clock: Any, look: Callable[[], Overview]) -> None:
        self._notifier = notifier
        self._look = look
        self._status = ""
        self._has_failed = False
        self._fed: float | None = None
        self._clock = clock
        self._beats = LoopingCall(self._beat)
        self._beats.clock = clock

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._beats.start(BEAT).addErrback(self._got_mistake)

    def stopService(self) -> None:
        """Look no more; what is left to do has systemd's time limit for a stop."""
        super().stopService()
        if self._beats.running:
            self._beats.stop()

    def got_phase(self, phase: Phase) -> None:
        """The bot's life went on to ``phase``."""
        fact = {Phase.RUNNING: ["READY=1"], Phase.STOPPING: ["STOPPING=1"]}.get(phase, [])
        if phase is Phase.RELOADING:
            microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            fact = ["RELOADING=1", f"MONOTONIC_USEC={microseconds}"]
        self._tell(fact, self._overview())

    def _beat(self) -> None:
        overview = self._overview()
        self._tell(["WATCHDOG=1"] if self._feeds(overview) else [], overview)

    def _overview(self) -> Overview | None:
        try:
            return self._look()
        except Exception:
            # A mistake in the telling is no reason to be ended.
            if not self._has_failed:
                self._has_failed = True
                self._log.failure("cannot tell how the bot is")
            return None

    def _feeds(self, overview: Overview | None) -> bool:
        watchdog, now = self._notifier.watchdog, self._clock.seconds()
        if watchdog is None or (overview is not None and overview.link.is_stuck):
            return False
        if self._fed is not None and 0 <= now - self._fed < watchdog / 3:
            return False
        self._fed = now
        return True

    def _tell(self, facts: list[str], overview: Overview | None) -> None:
        status = self._status if overview is None else escape(overview.in_words())
        if status != self._status:
            self._status = status
            facts = [*facts, f"STATUS={status}"]
        if facts:
            self._notifier.tell(*facts)

    def _got_mistake(self, failure: Any) -> None:
        # The watchdog is fed no more, and systemd starts us anew.
        self._log.failure("nothing is told to systemd any more", failure)


def notifier() -> Notifier | None:
    """The one of this process, if systemd started it."""
    return Notifier.take(os.environ, os.getpid())
