"""LAT: fifty commands a second, said in a room of a real Prosody, from sending to answer."""

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


class Latency:
    """A Prosody of our own, for all bots in turn."""

    def __init__(self) -> None:
        self._prosody = Prosody()
        self._prosody.start()

    @classmethod
    def begin(cls) -> Latency | None:
        """Start it; None where it is not installed."""
        try:
            return cls()
        except unittest.SkipTest:
            return None

    def measure(self, bot: Bot, folder: Path) -> dict[str, float]:
        """One bot: the median of its answers' seconds, and the slowest hundredth."""
        prosody = self._prosody
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
            found = person.latencies(room, COMMANDS, PER_SECOND)
        finally:
            process.stop()
            person.close()
        if len(found) < COMMANDS:
            return {"LAT lost": COMMANDS - len(found)}
        hundredths = statistics.quantiles(found, n=100)
        return {"LAT p50": hundredths[49], "LAT p99": hundredths[98]}

    def end(self) -> None:
        """Stop the server."""
        self._prosody.stop()
