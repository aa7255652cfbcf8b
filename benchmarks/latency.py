"""LAT: latency of answers at fifty commands a second, in a room of a real Prosody.

Measured on two servers that differ in XEP-0198 (stream management) only. With it
(LAT) the server requests an acknowledgement after each stanza; the client's answer
carries the TCP acknowledgement for which Prosody, with Nagle's algorithm on, holds
back the next data. Without it (LAT-0) a client has nothing to send on its own
reflected answer, and its kernel delays the TCP acknowledgement.
"""

from __future__ import annotations

import statistics
import time
import unittest
from pathlib import Path

from benchmarks import stanzas
from benchmarks.bots import Bot, Server
from benchmarks.person import Person
from tests.integration.prosody import Prosody
from tests.integration.server import ACCOUNTS

COMMANDS = 250
PER_SECOND = 50.0


class StreamManagement(Prosody):
    """Prosody with XEP-0198 and the log level of Debian's configuration."""

    log_level = "info"


class Unmanaged(StreamManagement):
    """The same Prosody without XEP-0198."""

    modules = tuple(module for module in StreamManagement.modules if module != "smacks")


class Latency:
    """Both Prosody servers, and the measurement of one bot on them."""

    def __init__(self) -> None:
        self._servers = {"LAT": StreamManagement(), "LAT-0": Unmanaged()}
        for prosody in self._servers.values():
            prosody.start()

    @classmethod
    def begin(cls) -> Latency | None:
        """Start the servers; None if Prosody is not installed."""
        try:
            return cls()
        except unittest.SkipTest:
            return None

    def measure(self, bot: Bot, folder: Path) -> dict[str, float]:
        """Median and 99th percentile of one bot's latency, in seconds, on each server."""
        figures: dict[str, float] = {}
        for name, prosody in self._servers.items():
            found = _latencies(prosody, bot, folder)
            if len(found) < COMMANDS:
                figures[f"{name} lost"] = COMMANDS - len(found)
                continue
            hundredths = statistics.quantiles(found, n=100)
            figures |= {f"{name} p50": hundredths[49], f"{name} p99": hundredths[98]}
        return figures

    def end(self) -> None:
        """Stop the servers."""
        for prosody in self._servers.values():
            prosody.stop()


def _latencies(prosody: Prosody, bot: Bot, folder: Path) -> list[float]:
    server = Server(
        prosody.port,
        prosody.ca_file,
        f"xbot@{prosody.domain}/bench",
        ACCOUNTS["xbot"],
        prosody.muc,
    )
    room = f"room0@{prosody.muc}"
    person = Person(prosody.port, prosody.domain, "alice", ACCOUNTS["alice"])
    person.join(room)
    process = bot.start(server, 1, 0, folder / "bots.log")
    try:
        person.wait_for(stanzas.NICK)
        # Bots that wait for the room's subject have it by then.
        time.sleep(0.5)
        person.latencies(room, 20, PER_SECOND)
        return person.latencies(room, COMMANDS, PER_SECOND)
    finally:
        process.stop()
        person.close()
