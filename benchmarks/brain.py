"""``python -m benchmarks.brain``: the cost of reads, writes and flushes of the brain."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from xbot.state.brain.brain import Brain
from xbot.state.brain.file import FILE_NAME

ROUNDS = 20_000
FLUSHES = 300
NESTED = {"author": "ada@example.org", "when": [9, 30, "mon-fri"], "text": "standup time!"}


def microseconds(call: Callable[[int], object]) -> float:
    """Microseconds for one call, the best of five series."""
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        for number in range(ROUNDS):
            call(number)
        best = min(best, time.perf_counter() - began)
    return best / ROUNDS * 1e6


def fsync(path: Path) -> list[float]:
    """Seconds for each of 100 writes and fsyncs of a page, as a baseline of this disk."""
    taken = []
    with path.open("wb") as file:
        for _ in range(100):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return taken


def told(what: str, taken: list[float]) -> None:
    ordered = sorted(seconds * 1e3 for seconds in taken)
    last = ordered[int(len(ordered) * 0.99)]
    print(f"{what:42} median {statistics.median(ordered):7.3f} ms   p99 {last:7.3f} ms")


async def run(path: Path) -> None:
    brain = Brain(path, reactor)
    await brain.open()
    memory = brain.namespace("bench")
    memory["text"], memory["nested"] = "standup time!", NESTED
    for what, call in (
        ("get a text", lambda number: memory["text"]),
        ("get a dict of three", lambda number: memory["nested"]),
        ("get what is not there", lambda number: memory.get("none")),
        ("set a text, the same key", lambda number: memory.__setitem__("text", "standup")),
        ("set a text, 5,000 keys", lambda number: memory.__setitem__(str(number % 5000), "x")),
        ("set a dict of three", lambda number: memory.__setitem__("nested", NESTED)),
        ("set with a time to live", lambda number: memory.set("short", 1, ttl=60)),
        ("increment", lambda number: memory.increment("count")),
        ("increment with a time to live", lambda number: memory.increment("rate", ttl=60)),
    ):
        print(f"{what:42} {microseconds(call):7.2f} us")
    await brain.flushed()
    idle = microseconds(lambda number: brain.flushed())
    print(f"{'flushed() with nothing to save':42} {idle:7.2f} us")
    for count, what in ((1, "one change"), (100, "100 changes"), (1000, "1,000 changes")):
        taken = []
        for number in range(FLUSHES if count == 1 else 30):
            for key in range(count):
                memory[f"key {key}"] = number
            began = time.perf_counter()
            await brain.flushed()
            taken.append(time.perf_counter() - began)
        told(f"flushed() after {what}", taken)
    told("a bare write and fsync of 4 KiB", fsync(path.with_name("bare")))
    await brain.close()
    path = path.with_name(f"full-{FILE_NAME}")
    brain = Brain(path, reactor)
    await brain.open()
    for number in range(5):
        values = {f"{key:05}": f"value {key}" for key in range(10_000)}
        brain.namespace(f"n{number}").update(values)
    began = time.perf_counter()
    await brain.flushed()
    print(f"{'flushed() after 50,000 keys':42} {(time.perf_counter() - began) * 1e3:7.1f} ms")
    await brain.close()
    began = time.perf_counter()
    brain = Brain(path, reactor)
    await brain.open()
    print(f"{'open() with 50,000 keys':42} {(time.perf_counter() - began) * 1e3:7.1f} ms")
    await brain.close()


def main() -> None:
    """Run all measurements in a temporary folder (see TMPDIR)."""
    with tempfile.TemporaryDirectory() as folder:
        done = Deferred.fromCoroutine(run(Path(folder) / FILE_NAME))
        done.addErrback(lambda failure: print(failure.getTraceback()))
        done.addBoth(lambda _: reactor.callLater(0, reactor.stop))
        reactor.run()


if __name__ == "__main__":
    main()
