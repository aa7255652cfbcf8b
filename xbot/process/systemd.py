"""systemd notifications and watchdog: the sd_notify(3) protocol."""

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

#: Seconds between two checks of the bot's status.
PERIOD = 1.0


class Notifier:
    """Sends notifications to systemd over its datagram socket, without retry.

    ``watchdog`` is the watchdog's time limit in seconds, or None.
    """

    _log = Logger("xbot.process.systemd")

    def __init__(self, address: str, watchdog: float | None = None) -> None:
        # A leading @ means Linux's abstract socket namespace.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog = watchdog

    @classmethod
    def take(cls, environ: MutableMapping[str, str], process: int) -> Notifier | None:
        """The notifier that ``environ`` describes for the PID ``process``; None if there is none.

        Removes the variables from ``environ``, so that child programs cannot notify
        systemd in our name.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        period = environ.pop("WATCHDOG_USEC", "")
        whose = environ.pop("WATCHDOG_PID", "") or str(process)
        if not address.startswith(("/", "@")):
            return None
        is_watched = period.isdecimal() and int(period) > 0 and whose == str(process)
        return cls(address, int(period) / 1e6 if is_watched else None)

    def tell(self, *facts: str) -> None:
        """Send ``facts``, each ``NAME=value``, in one datagram."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                # Never block on a full socket buffer.
                line.setblocking(False)
                line.sendto("\n".join(facts).encode("utf-8", "replace"), self._address)
        except OSError as error:
            self._log.debug("cannot notify systemd: {reason}", reason=str(error))


class Systemd(Service):
    """Service that reports status, life-cycle phases and watchdog keep-alives to systemd.

    ``look`` returns the bot's :class:`~xbot.model.status.Overview`. The watchdog gets
    its keep-alive from a timer on the reactor, and none while the connection is stuck;
    an unreachable server does not count as stuck.
    """

    _log = Logger("xbot.process.systemd")

    def __init__(self, notifier: Notifier, clock: Any, look: Callable[[], Overview]) -> None:
        self._notifier = notifier
        self._look = look
        self._status = ""
        self._has_failed = False
        self._last_keep_alive: float | None = None
        self._clock = clock
        self._checks = LoopingCall(self._check)
        self._checks.clock = clock

    def startService(self) -> None:
        super().startService()
        self._checks.start(PERIOD).addErrback(self._got_bug)

    def stopService(self) -> None:
        """Stop the status checks; from here on systemd's time limit for stopping applies."""
        super().stopService()
        if self._checks.running:
            self._checks.stop()

    def got_phase(self, phase: Phase) -> None:
        """The bot entered ``phase``: tell systemd READY, RELOADING or STOPPING."""
        fact = {Phase.RUNNING: ["READY=1"], Phase.STOPPING: ["STOPPING=1"]}.get(phase, [])
        if phase is Phase.RELOADING:
            microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            fact = ["RELOADING=1", f"MONOTONIC_USEC={microseconds}"]
        self._tell(fact, self._overview())

    def _check(self) -> None:
        overview = self._overview()
        self._tell(["WATCHDOG=1"] if self._is_keep_alive_due(overview) else [], overview)

    def _overview(self) -> Overview | None:
        try:
            return self._look()
        except Exception:
            # A bug in the status must not make the watchdog end the bot.
            if not self._has_failed:
                self._has_failed = True
                self._log.failure("internal error: cannot collect the status for systemd")
            return None

    def _is_keep_alive_due(self, overview: Overview | None) -> bool:
        watchdog, now = self._notifier.watchdog, self._clock.seconds()
        if watchdog is None or (overview is not None and overview.link.is_stuck):
            return False
        if self._last_keep_alive is not None and 0 <= now - self._last_keep_alive < watchdog / 3:
            return False
        self._last_keep_alive = now
        return True

    def _tell(self, facts: list[str], overview: Overview | None) -> None:
        status = self._status if overview is None else escape(overview.in_words())
        if status != self._status:
            self._status = status
            facts = [*facts, f"STATUS={status}"]
        if facts:
            self._notifier.tell(*facts)

    def _got_bug(self, failure: Any) -> None:
        # Without keep-alives systemd's watchdog restarts the bot.
        self._log.failure("internal error: no more notifications to systemd", failure)


def notifier() -> Notifier | None:
    """This process's notifier, or None if systemd did not start it."""
    return Notifier.take(os.environ, os.getpid())
