"""``python -m benchmarks.growth``: how xbot's cost grows with rooms, occupants, patterns, sizes."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import bots, curves, report, scenarios, stanzas
from benchmarks.curves import Curve
from benchmarks.scenarios import Bench
from benchmarks.stub import Stub
from tests.integration.certificates import make_certificate

ROOMS = (1, 10, 100, 1000, 3000, 10_000)
OCCUPANTS = (10, 100, 1000, 10_000, 20_000, 50_000, 100_000)
PATTERNS = (1, 10, 100, 1000, 10_000)
SIZES = (100, 1000, 10_000, 65_536, 262_144)

#: The long run: number of messages, and of different people who say them.
MESSAGES, PEOPLE = 1_000_000, 100_000

#: Minimum number of presences measured; those of small rooms are repeated.
PRESENCES = 10_000

#: Minimum number of occupants whose memory is visible: the kernel counts whole pages.
VISIBLE = 10_000

Point = tuple[str, float, float]
"""The title of a curve, the amount, and the figure."""

JOINED = "Rooms: seconds until all are joined"
JOIN_CPU = "Rooms: CPU microseconds for each"
PRESENCE = "Occupants of a room: CPU microseconds for each presence"
CROWD = "Occupants of a room: MiB for all"
CHATTER = "Patterns: CPU microseconds for each message"
SIZE = "Bytes of a message: CPU microseconds for each"
LONG_RUN = "Messages so far: MiB in all"


def main() -> None:
    """Measure what the command line names, or everything."""
    measures: dict[str, tuple[int, Callable[[Bench, bots.Bot], Iterator[Point]]]] = {
        "rooms": (3, rooms),
        "occupants": (3, occupants),
        "patterns": (3, patterns),
        "sizes": (3, sizes),
        "memory": (1, memory),
    }
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("what", nargs="*", help=f"of {', '.join(measures)}; otherwise all")
    parser.add_argument("--publish", action="store_true", help="write the curves into docs/")
    options = parser.parse_args()
    if unknown := set(options.what) - set(measures):
        parser.error(f"there is no {unknown.pop()}")
    if options.publish and options.what:
        parser.error("what is published is everything")
    folder = Path(tempfile.mkdtemp(prefix="xbot-bench-"))
    certificate = make_certificate(folder, stanzas.DOMAIN)
    found: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name in options.what or measures:
        rounds, measure = measures[name]
        for _ in range(rounds):
            stub = Stub(certificate.chain, certificate.key)
            try:
                bench = Bench(stub, certificate.authority, folder)
                for title, amount, figure in measure(bench, bots.make("xbot", folder)):
                    found[title][amount].append(figure)
            finally:
                stub.close()
        print(f"{name} done", file=sys.stderr)
    drawn = [
        Curve(title, {amount: statistics.median(figures) for amount, figures in points.items()})
        for title, points in found.items()
    ]
    shown = curves.table(drawn)
    print(shown)
    if options.publish:
        report.publish("<!-- growth -->", shown)
        (report.DOCS / "growth.svg").write_text(curves.chart(drawn))


def rooms(bench: Bench, bot: bots.Bot) -> Iterator[Point]:
    """Time and CPU from the first join until a command in the last room is answered."""
    for count in ROOMS:
        figures = scenarios.join_rooms(bench, bot, count)
        yield JOINED, count, figures["S5a s"]
        yield JOIN_CPU, count, figures["S5a cpu"] * 1e6


def occupants(bench: Bench, bot: bots.Bot) -> Iterator[Point]:
    """CPU for each presence as the room fills, and memory for all occupants."""
    for count in OCCUPANTS:
        figures = scenarios.crowded_room(bench, bot, count, max(1, PRESENCES // count))
        yield PRESENCE, count, figures["S5b cpu"] * 1e6
        if count >= VISIBLE:
            yield CROWD, count, figures["S5b bytes"] * count / 2**20


def patterns(bench: Bench, bot: bots.Bot) -> Iterator[Point]:
    """CPU for each message of chatter, by number of patterns."""
    for count in PATTERNS:
        yield CHATTER, count, scenarios.many_patterns(bench, bot, count)["S6 cpu"] * 1e6


def sizes(bench: Bench, bot: bots.Bot) -> Iterator[Point]:
    """CPU for each message, by its size in bytes."""
    process, client = bench.begin(bot)
    try:
        client.say([])
        for size in SIZES:
            count = min(10_000, 40_000_000 // size)
            said = [stanzas.message("x" * size) for _ in range(count)]
            before = process.cpu()
            client.say(said)
            yield SIZE, size, (process.cpu() - before) / count * 1e6
    finally:
        process.stop()


def memory(bench: Bench, bot: bots.Bot) -> Iterator[Point]:
    """Memory during a million messages from 100,000 people, who join, speak and leave."""
    process, client = bench.begin(bot)
    try:
        client.say(list(stanzas.chatter(20_000)))
        slice_of = MESSAGES // 10
        for tenth in range(10):
            people = PEOPLE // 10
            for part in range(10):
                some = range(tenth * people + part * 1000, tenth * people + (part + 1) * 1000)
                said = []
                for person in some:
                    nick = f"visitor{person}"
                    said += [stanzas.message("hello there", nick=nick)] * (slice_of // people)
                client.say([*stanzas.come(some), *said, *stanzas.go(some)])
            yield LONG_RUN, (tenth + 1) * slice_of, process.memory() / 2**20
    finally:
        process.stop()


if __name__ == "__main__":
    main()
