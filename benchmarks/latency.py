"""LAT: fifty commands a second, said in a room of a real Prosody, from sending to answer.

Measured on two of them, alike but for XEP-0198. With it (LAT) a client that
takes part is asked for a count after all that it is sent, and its answer
carries the TCP acknowledgement for which Prosody, with Nagle's algorithm on,
holds back what comes next. Without it (LAT-0) a client that has nothing to say
to its own reflected answer acknowledges when its kernel sees fit.
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
    """With XEP-0198, as Debian's configuration has it; and it logs as much as that does."""

    log_level = "info"


class Unmanaged(StreamManagement):
    """Without XEP-0198."""

    modules = tuple(module for module in StreamManagement.modules if module != "smacks")


class Latency:
    """A Prosody of each kind, for all bots in turn."""

    def __init__(self) -> None:
        self._servers = {"LAT": StreamManagement(), "LAT-0": Unmanaged()}
        for prosody in self._servers.values():
            prosody.start()

    @classmethod
    def begin(cls) -> Latency | None:
        """Start them; None where Prosody is not installed."""
        try:
            return cls()
        except unittest.SkipTest:
            return None

    def measure(self, bot: Bot, folder: Path) -> dict[str, float]:
        """One bot: the median of its answers' seconds, and the slowest hundredth, on each."""
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
        # Whoever waits for a subject, or for five seconds without one, has it by then.
        time.sleep(0.5)
        person.latencies(room, 20, PER_SECOND)
        return person.latencies(room, COMMANDS, PER_SECOND)
    finally:
        process.stop()
        person.close()
