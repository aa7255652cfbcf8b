"""The benchmark scenarios: each starts a bot, drives it through a stub server, and measures it.

=====  =====================================================================  =================
S1     start-up: from the start of the process until it joins its room        seconds, bytes
S2     commands, each answered, a bounded number under way at a time          CPU a command
S3     chatter that no bot answers                                            CPU a message
S4     delayed commands, which must not be answered                           CPU a message
S5a    1,000 rooms to join                                                    seconds, CPU
S5b    the presences of a room of 10,000                                      CPU, bytes each
S6     S3 with 1,000 patterns                                                 CPU a message
S7     the connection is reset: seconds until it rejoins the room             seconds
LAT    50 commands a second through a real Prosody: see ``latency``           seconds, twice
=====  =====================================================================  =================

CPU is the CPU time of the bot's process, user and system, in seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import stanzas
from benchmarks.bots import Bot, Server
from benchmarks.processes import Process
from benchmarks.stub import Client, Stalled, Stub

COMMANDS = 4000
MESSAGES = 20_000
ROOMS = 1000
OCCUPANTS = 10_000
PATTERNS = 1000

#: Time-out in seconds of one measurement.
PATIENCE = 30.0

Figures = dict[str, float]


@dataclass(frozen=True)
class Bench:
    """A stub server with its certificate authority, and the folder for logs."""

    stub: Stub
    authority: Path
    folder: Path

    def begin(
        self,
        bot: Bot,
        *,
        rooms: int = 1,
        patterns: int = 0,
    ) -> tuple[Process, Client]:
        """Start ``bot``, and wait until it has joined its rooms."""
        log = self.folder / "bots.log"
        process = bot.start(Server(self.stub.port, self.authority), rooms, patterns, log)
        try:
            client = self.stub.accept(PATIENCE)
            client.until_joined(rooms, PATIENCE)
        except BaseException:
            process.stop()
            raise
        return process, client


def talk(bench: Bench, bot: Bot) -> Figures:
    """S1 to S4 on one connection, and S7, which ends it."""
    process, client = bench.begin(bot)
    try:
        figures = {"S1 s": client.joined_at[0] - process.started_at}
        client.say([])
        figures["S1 bytes"] = process.memory()
        client.converse(500)
        figures["S2 cpu"] = _cpu_of(process, COMMANDS, lambda: client.converse(COMMANDS))
        warm = list(stanzas.chatter(2000))
        client.say(warm)
        said = list(stanzas.chatter(MESSAGES))
        figures["S3 cpu"] = _cpu_of(process, MESSAGES, lambda: client.say(said, PATIENCE))
        before = client.replies
        said = [stanzas.command(f"d{number}", delayed=True) for number in range(MESSAGES)]
        figures["S4 cpu"] = _cpu_of(process, MESSAGES, lambda: client.say(said, PATIENCE))
        figures["S4 replies"] = client.replies - before - 1
        figures.update(_reset(bench, client))
        return figures
    finally:
        process.stop()


def _reset(bench: Bench, client: Client) -> Figures:
    began = time.monotonic()
    client.drop()
    try:
        back = bench.stub.accept(5.0)
        back.until_joined(1, 5.0)
    except Stalled:
        return {}
    back.close()
    return {"S7 s": back.joined_at[0] - began}


def join_rooms(bench: Bench, bot: Bot, rooms: int = ROOMS) -> Figures:
    """S5a: from the first join until a command in the last room is answered."""
    process = bot.start(
        Server(bench.stub.port, bench.authority), rooms, 0, bench.folder / "bots.log"
    )
    try:
        client = bench.stub.accept(PATIENCE)
        client.until_joined(1, PATIENCE)
        before = process.cpu()
        client.until_joined(rooms, PATIENCE)
        client.say([], PATIENCE, number=rooms - 1)
        ended = time.monotonic()
        return {
            "S5a s": ended - client.joined_at[0],
            "S5a cpu": (process.cpu() - before) / rooms,
        }
    finally:
        process.stop()


def crowded_room(bench: Bench, bot: Bot, occupants: int = OCCUPANTS, times: int = 1) -> Figures:
    """S5b: the presences of ``occupants`` occupants, repeated ``times`` times."""
    process, client = bench.begin(bot)
    try:
        # The bot has joined already: occupants who join later send the same presences.
        client.say([])
        cpu, memory = process.cpu(), process.memory()
        client.say(list(stanzas.occupants(occupants)) * times, PATIENCE)
        return {
            "S5b cpu": (process.cpu() - cpu) / (occupants * times),
            "S5b bytes": (process.memory() - memory) / occupants,
        }
    finally:
        process.stop()


def many_patterns(bench: Bench, bot: Bot, patterns: int = PATTERNS) -> Figures:
    """S6: chatter, with ``patterns`` patterns to match it against."""
    process, client = bench.begin(bot, patterns=patterns)
    try:
        client.say(list(stanzas.chatter(2000)), PATIENCE)
        said = list(stanzas.chatter(MESSAGES))
        return {"S6 cpu": _cpu_of(process, MESSAGES, lambda: client.say(said, PATIENCE))}
    finally:
        process.stop()


def _cpu_of(process: Process, stanza_count: int, do: Callable[[], object]) -> float:
    before = process.cpu()
    do()
    return (process.cpu() - before) / stanza_count


#: The scenarios by name: the function, and the names of its bots (None: all).
SCENARIOS: dict[str, tuple[Callable[[Bench, Bot], Figures], tuple[str, ...] | None]] = {
    "talk": (talk, None),
    "rooms": (join_rooms, None),
    "occupants": (crowded_room, None),
    "patterns": (many_patterns, ("xbot", "wokkel")),
}
