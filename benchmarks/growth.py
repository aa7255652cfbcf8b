"""``python -m benchmarks.growth``: what it costs xbot when there is more of everything."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import bots, scenarios, stanzas
from benchmarks.scenarios import Bench
from benchmarks.stub import Stub
from tests.integration.certificates import make_certificate

ROOMS = (1, 10, 100, 1000, 3000)
OCCUPANTS = (10, 100, 1000, 10_000, 20_000)
SIZES = (100, 1000, 10_000, 65_536, 262_144)

#: The long run: messages in all, and how many different people say them.
MESSAGES, PEOPLE = 1_000_000, 100_000


def main() -> None:
    """Measure what the command line names, or everything."""
    measures = {"rooms": rooms, "occupants": occupants, "sizes": sizes, "memory": memory}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("what", nargs="*", default=list(measures))
    folder = Path(tempfile.mkdtemp(prefix="xbot-bench-"))
    certificate = make_certificate(folder, stanzas.DOMAIN)
    for name in parser.parse_args().what:
        stub = Stub(certificate.chain, certificate.key)
        try:
            measures[name](Bench(stub, certificate.authority, folder), bots.make("xbot", folder))
        finally:
            stub.close()


def rooms(bench: Bench, bot: bots.Bot) -> None:
    """Seconds until all rooms are joined."""
    for count in ROOMS:
        figures = scenarios.join_rooms(bench, bot, count)
        print(f"{count:6} rooms: joined in {figures['S5a s']:.3f} s", file=sys.stdout)


def occupants(bench: Bench, bot: bots.Bot) -> None:
    """CPU and memory for each occupant."""
    for count in OCCUPANTS:
        figures = scenarios.crowded_room(bench, bot, count)
        cpu, memory = figures["S5b cpu"] * 1e6, figures["S5b bytes"]
        print(f"{count:6} occupants: {cpu:.1f} us and {memory:.0f} bytes each")


def sizes(bench: Bench, bot: bots.Bot) -> None:
    """CPU for a message, by its size."""
    process, client = bench.begin(bot)
    try:
        client.say([])
        for size in SIZES:
            count = min(10_000, 40_000_000 // size)
            said = [stanzas.message("x" * size) for _ in range(count)]
            before = process.cpu()
            client.say(said)
            cpu = (process.cpu() - before) / count
            print(f"{size:7} bytes: {cpu * 1e6:.1f} us, {cpu / size * 1e9:.2f} ns a byte")
    finally:
        process.stop()


def memory(bench: Bench, bot: bots.Bot) -> None:
    """A million messages from 100,000 people, who come, speak and go."""
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
            print(f"{(tenth + 1) * slice_of:9,} messages: {process.memory() / 1048576:.1f} MiB")
    finally:
        process.stop()


if __name__ == "__main__":
    main()
