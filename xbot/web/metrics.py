"""Prometheus metrics of the bot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from platform import python_version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from twisted import __version__ as twisted_version
from xbot import __version__
from xbot.model.recent_events import Command
from xbot.model.status import Overview, Posts
from xbot.web.answer import Answer

#: Histogram buckets for run durations and reactor lag, in seconds.
DURATIONS = (0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
LAGS = (0.005, 0.02, 0.1, 0.5, 1.0, 5.0)

#: The Prometheus text format.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: All states of the connection.
STATES = ("stopped", "waiting", "connecting", "negotiating", "online", "closing", "failed")

#: Outcomes of runs; all other keys of ``Overview.fates`` are outcomes of messages.
_RUNS = frozenset(
    {"answered", "silent", "failed", "timed-out", "busy", "cancelled", "misused", "denied"}
    | {"declined", "expired", "unapproved", "unasked", "refused", "undelivered"}
)


#: Outcomes of the runs of a responder, and of messages. All series exist from the start, with
#: 0: Prometheus' increase() does not see the first event of a series that begins with 1.
_OUTCOMES = tuple(sorted(_RUNS - {"undelivered"} | {"duplicate", "throttled"}))
_MESSAGES = (
    "crowded-out", "delayed", "dispatched", "duplicate", "echo", "empty", "encrypted", "room",
    "stopped", "throttled", "unmatched",
)  # fmt: skip

#: Reasons for which connections end, input was too old, and stanzas were no messages.
_ENDS = (
    "login-broken", "login-memory", "login-refused", "login-timeout", "lost", "ping-timeout",
    "protocol", "stream-error", "unreachable",
)  # fmt: skip
_STALE = ("away", "stuck")
_DROPPED = (
    "bad-sender", "correction", "differing-bodies", "error", "headline", "invitation", "machine",
    "markup-in-body", "no-body", "room-notice", "unknown-room",
)  # fmt: skip

#: Fates of the texts of webhooks.
_TEXTS = ("delivered", "failed", "stale")


class Metrics:
    """Counts events, and reads all other values from ``look()`` at each scrape."""

    def __init__(self, look: Callable[[], Overview]) -> None:
        # A registry of its own: other code in the process may use the default one.
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Looking(look))
        ProcessCollector(registry=self._registry)
        Info("xbot_build", "Versions.", registry=self._registry).info(
            {"version": __version__, "python": python_version(), "twisted": twisted_version}
        )
        self._look = look
        self._known: frozenset[str] = frozenset()
        self._commands = Counter(
            "xbot_commands",
            "Runs of responders that are over.",
            ["responder", "outcome"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "xbot_command_seconds",
            "How long the runs of responders took.",
            ["responder"],
            buckets=DURATIONS,
            registry=self._registry,
        )
        self._lag = Histogram(
            "xbot_reactor_lag_seconds",
            "By how much the reactor was late, looked at once a second.",
            buckets=LAGS,
            registry=self._registry,
        )

    def got_command(self, command: Command) -> None:
        self._commands.labels(command.responder, command.outcome).inc()
        if command.seconds is not None:
            self._seconds.labels(command.responder).observe(command.seconds)

    def got_lag(self, seconds: float) -> None:
        self._lag.observe(seconds)

    def answer(self) -> Answer:
        """All metrics, as an HTTP answer in the text format."""
        names = frozenset(skill.name for skill in self._look().skills)
        for name in names - self._known:
            for outcome in _OUTCOMES:
                self._commands.labels(name, outcome)
        self._known = names
        return Answer(_without_created(generate_latest(self._registry)), CONTENT_TYPE)


def _without_created(text: bytes) -> bytes:
    """Remove the ``_created`` series, which the client library adds to each counter."""
    lines = text.splitlines(keepends=True)
    return b"".join(line for line in lines if b"_created" not in line.split(b"{")[0])


class _Looking(Collector):
    """Collector of the values that are read from the Overview at each scrape."""

    def __init__(self, look: Callable[[], Overview]) -> None:
        self._look = look

    def collect(self) -> Iterator[Metric]:
        overview = self._look()
        link = overview.link
        yield _gauge("xbot_up_seconds", "Since when the daemon runs.", overview.uptime)
        state = GaugeMetricFamily(
            "xbot_connection_state", "1 for the state of the connection.", labels=["state"]
        )
        for name in STATES:
            state.add_metric([name], float(name == link.state))
        yield state
        if overview.reload is not None:
            yield _gauge(
                "xbot_config_last_reload_successful",
                "1 if the last reload (or the start) was applied, 0 if it was refused.",
                float(overview.reload.problem is None),
            )
            yield _gauge(
                "xbot_config_last_reload_success_timestamp_seconds",
                "When the ini that is in force was read, in seconds since 1970.",
                overview.reload.applied_at,
            )
        yield _gauge("xbot_ready", "1 in all rooms of the ini.", float(overview.is_ready))
        yield _gauge("xbot_rooms_wanted", "Rooms to be in.", len(overview.rooms))
        yield _gauge("xbot_rooms_joined", "Rooms that we are in.", overview.joined)
        yield _gauge("xbot_rooms_mute", "Rooms in which we may not speak.", overview.mute)
        if link.round_trip is not None:
            yield _gauge(
                "xbot_ping_seconds", "How long the server's last answer took.", link.round_trip
            )
        yield _gauge("xbot_outbox_messages", "Messages to be said.", overview.waiting)
        yield _gauge(
            "xbot_unacknowledged_stanzas", "Sent, not acknowledged yet.", link.unacknowledged
        )
        yield _counter("xbot_resumptions", "Sessions taken up again.", link.resumptions)
        writable = GaugeMetricFamily(
            "xbot_state_writable", "1 if the state file can be written now.", labels=["file"]
        )
        for name, is_writable in sorted(overview.writable.items()):
            writable.add_metric([name], float(is_writable))
        yield writable
        yield _by("xbot_connection_ends", "Why connections ended.", "reason", link.ends, _ENDS)
        yield _by(
            "xbot_standstills", "Why what was said was too old.", "reason", link.stale, _STALE
        )
        messages = {fate: count for fate, count in overview.fates.items() if fate not in _RUNS}
        yield _by("xbot_messages", "What became of messages.", "fate", messages, _MESSAGES)
        yield _by("xbot_stanzas_dropped", "Why stanzas were no messages.", "reason",
                  overview.dropped, _DROPPED)  # fmt: skip
        yield _counter(
            "xbot_answers_undelivered",
            "Answers that could not leave.",
            overview.fates.get("undelivered", 0),
        )
        if overview.posts is not None:
            yield from _of_webhooks(overview.posts)


def _of_webhooks(posts: Posts) -> Iterator[Metric]:
    answers = CounterMetricFamily(
        "xbot_webhook_posts", "What posts were answered.", labels=["webhook", "status"]
    )
    for name, counts in sorted(posts.answers.items()):
        for status, count in sorted(counts.items()):
            answers.add_metric([name, status], count)
    yield answers
    yield _by("xbot_webhook_texts", "What became of texts to be said.", "fate", posts.texts, _TEXTS)
    yield _gauge("xbot_webhook_texts_waiting", "Texts that are still to be said.", posts.waiting)


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help, value=value)


def _counter(name: str, help: str, value: float) -> Metric:
    return CounterMetricFamily(name, help, value=value)


def _by(
    name: str, help: str, label: str, counts: Mapping[str, int], known: Iterable[str]
) -> Metric:
    """A counter by ``label``; the ``known`` values of it are there from the start."""
    family = CounterMetricFamily(name, help, labels=[label])
    for key, count in sorted({**dict.fromkeys(known, 0), **counts}.items()):
        family.add_metric([key], count)
    return family
