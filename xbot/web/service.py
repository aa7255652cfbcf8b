"""StatusServer: status page, health checks, metrics and status.json, with periodic sampling."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from attrs import asdict
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from xbot.config.settings import HttpSettings
from xbot.model.recent_events import Command
from xbot.model.status import Overview
from xbot.web.answer import CSS, JSON, SVG, Answer
from xbot.web.listener import Listener
from xbot.web.metrics import Metrics
from xbot.web.page import page
from xbot.web.posting import PostHandler
from xbot.web.samples import PERIOD, Samples
from xbot.web.server import Bounded, HttpServer

#: Seconds between two measurements of the reactor's lag.
LAG_PERIOD = 1.0

#: How long browsers may cache the static files, in seconds.
KEEP = 300

_OWN_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class StatusServer:
    """Listens as ``settings`` say, and serves the Overview that ``look`` returns.

    At a unix socket or a network address any Host header is accepted, unless the
    setting ``hosts`` lists names; at the loopback interface its own names and those.
    ``door`` handles POST requests.
    """

    def __init__(
        self,
        settings: HttpSettings,
        look: Callable[[], Overview],
        reactor: Any,
        wall_clock: Callable[[], float] = time.time,
        door: PostHandler | None = None,
    ) -> None:
        self.settings = settings
        self._look = look
        self._clock = reactor
        self._wall_clock = wall_clock
        self._metrics = Metrics(look)
        self._samples = Samples()
        self._lag_loop = _loop(self._measure_lag, reactor)
        self._sample_loop = _loop(lambda: self._samples.take(look()), reactor)
        self._began = self._expected = 0.0
        server = HttpServer(self._pages(), _hosts(settings), reactor, door)
        # Mode 660: a proxy in the socket's group may connect.
        self.listening = Listener(settings.listen, Bounded(server, reactor), reactor, mode=0o660)

    def start(self) -> None:
        """Begin to listen and to sample the bot's status."""
        self._began = self._expected = self._clock.seconds()
        for loop, period in (self._lag_loop, LAG_PERIOD), (self._sample_loop, PERIOD):
            loop.start(period).addErrback(self._got_mistake)
        self.listening.start()

    def stop(self) -> Deferred[Any]:
        """Stop; fires when it no longer listens."""
        for loop in self._lag_loop, self._sample_loop:
            if loop.running:
                loop.stop()
        return self.listening.stop()

    def got_command(self, command: Command) -> None:
        self._metrics.got_command(command)
        self._samples.got_command()

    def _measure_lag(self) -> None:
        now = self._clock.seconds()
        lag = max(0.0, now - self._expected)
        # LoopingCall keeps to its grid, however late this call is.
        self._expected = now + LAG_PERIOD - (now - self._began) % LAG_PERIOD
        self._metrics.got_lag(lag)
        self._samples.got_lag(lag)

    def _got_mistake(self, failure: Any) -> None:
        Logger("xbot.web").failure("internal error sampling the bot's status", failure)

    def _pages(self) -> dict[str, Callable[[], Answer]]:
        style, icon = _file("style.css", CSS), _file("icon.svg", SVG)
        return {
            "/": lambda: page(self._look(), tuple(self._samples.taken), self._wall_clock()),
            "/style.css": lambda: style,
            "/icon.svg": lambda: icon,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics.answer,
            "/status.json": self._status,
        }

    def _healthz(self) -> Answer:
        is_stuck = self._look().link.is_stuck
        return Answer.text("stuck", 503) if is_stuck else Answer.text("well")

    def _readyz(self) -> Answer:
        overview = self._look()
        return Answer.text(overview.in_words(), 200 if overview.is_ready else 503)

    def _status(self) -> Answer:
        overview = self._look()
        told = {
            "time": datetime.fromtimestamp(self._wall_clock(), UTC).isoformat(timespec="seconds"),
            "status": overview.in_words(),
            "ready": overview.is_ready,
            **asdict(overview),
            "phase": overview.phase.value,
        }
        return Answer(json.dumps(told, indent=1).encode() + b"\n", JSON)


def _loop(work: Callable[[], object], clock: Any) -> LoopingCall:
    loop = LoopingCall(work)
    loop.clock = clock
    return loop


def _hosts(settings: HttpSettings) -> frozenset[str] | None:
    listen = settings.listen
    if listen.is_loopback:
        own = f"[{listen.host}]" if ":" in listen.host else listen.host
        return _OWN_NAMES | {own} | settings.hosts
    return settings.hosts or None


def _file(name: str, kind: str) -> Answer:
    return Answer((files("xbot.web") / name).read_bytes(), kind, max_age=KEEP)
