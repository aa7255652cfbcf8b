"""One soak on one server: its lanes beside each other, and the sum of what they found."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from attrs import Factory, asdict, define, frozen

from tests.integration.server import Server
from tests.soak.crew import names
from tests.soak.lanes import CutLane, KillLane, Lane, LongStopLane, SteadyLane, StopLane, broken
from tests.soak.ledger import MUST_BE_ZERO
from tests.soak.memory import BOUND, growth

#: Seconds between two lines about the progress.
_PROGRESS = 15.0

#: Passwords mean nothing here.
_PASSWORD = "soak"


@frozen
class Amount:
    """How much of each fault; ``minutes`` of mixed load without one."""

    cuts: int = 1000
    kills: int = 200
    stops: int = 45
    long_stops: int = 5
    minutes: int = 30

    def lanes(self) -> list[tuple[type[Lane], str, int]]:
        """Kind, name and share of each lane. Each lane has at least some work to do."""
        plan = (
            (CutLane, self.cuts, max(1, min(6, self.cuts // 20))),
            (KillLane, self.kills, 2),
            (StopLane, self.stops, 4),
            (LongStopLane, self.long_stops, 2),
            (SteadyLane, self.minutes, 1),
        )
        return [
            (kind, f"{kind.__name__.removesuffix('Lane').lower()}{number}", share)
            for kind, count, lanes in plan
            for number, share in enumerate(_shares(count, lanes))
        ]


def _shares(count: int, parts: int) -> list[int]:
    shares = [count // parts + (number < count % parts) for number in range(parts)]
    return [share for share in shares if share]


#: What the integration tests do.
TENTH = Amount(cuts=100, kills=20, stops=4, long_stops=1, minutes=2)


@define
class Outcome:
    """What a soak found. ``failed`` has a line for each lane that did not come to its end."""

    server: str
    seed: int
    seconds: float = 0.0
    counts: Counter[str] = Factory(Counter)
    memory: str = ""
    is_flat: bool = True
    failed: list[str] = Factory(list)
    kept: str = ""

    @property
    def is_good(self) -> bool:
        """Whether all came to its end, and all that must be 0 is."""
        is_zero = not any(self.counts[name] for name in MUST_BE_ZERO)
        return is_zero and self.is_flat and not self.failed

    def text(self) -> str:
        """The figures, for people."""
        zero = [f"{name} {self.counts[name]}" for name in MUST_BE_ZERO]
        other = [
            f"{name} {count}" for name, count in self.counts.items() if name not in MUST_BE_ZERO
        ]
        lines = [
            f"{self.server}: {', '.join(zero)}",
            f"  {', '.join(other)}",
            f"  {self.memory}",
            *(f"  {line}" for line in self.failed),
            f"  {self.seconds:.0f} s, seed {self.seed}",
        ]
        if self.kept:
            lines.append(f"  kept to be understood: {self.kept}")
        return "\n".join(line for line in lines if line.strip())


def soak(
    kind: Callable[..., Server],
    amount: Amount,
    seed: int,
    kept: Path,
    progress: Callable[[str], None] | None = None,
) -> Outcome:
    """Run a soak on a server of its own. What failed is kept in a new folder below ``kept``."""
    plan = amount.lanes()
    accounts = {name: _PASSWORD for _, lane, _ in plan for name in names(lane)}
    server = kind(accounts=accounts)
    outcome = Outcome(server.name, seed)
    began = time.monotonic()
    lanes: list[Lane] = []
    ended = threading.Event()
    try:
        server.start()
        # Every stanza, some of them byte by byte, is too much for this.
        server.log_less()
        lanes += [sort(server, name, share, seed) for sort, name, share in plan]
        if progress is not None:
            threading.Thread(
                target=_tell, args=(server.name, lanes, ended, progress), daemon=True
            ).start()
        with ThreadPoolExecutor(len(lanes)) as pool:
            errors = list(pool.map(partial(_run, outcome), lanes))
        _add_up(outcome, lanes)
        outcome.seconds = time.monotonic() - began
        if not outcome.is_good:
            outcome.kept = str(_keep(kept, server, outcome, lanes, errors))
    finally:
        ended.set()
        for lane in lanes:
            lane.bot.remove()
        server.remove()
    return outcome


def _run(outcome: Outcome, lane: Lane) -> str:
    """Run one lane to its end; returns the traceback of what went wrong."""
    try:
        lane.run()
    except Exception as error:
        first = str(error).partition("\n")[0]
        outcome.failed.append(f"{lane.name} did not come to its end: {first}")
        return traceback.format_exc()
    finally:
        lane.end()
    return ""


def _add_up(outcome: Outcome, lanes: list[Lane]) -> None:
    counts = outcome.counts
    for lane in lanes:
        counts[lane.kind] += lane.done
        counts["commands"] += len(lane.facts.commands)
        for name, numbers in lane.facts.found().items():
            counts[name] += len(numbers)
        counts["resumptions"] += lane.resumed
        counts["sessions lost by the server"] += lane.sessions_lost
        counts["sessions given up by xbot"] += lane.given_up
        counts["past"] += len(lane.facts.past)
        if lane.samples:
            grown = growth(lane.samples)
            sizes = [size for _, size in lane.samples]
            outcome.is_flat = grown <= BOUND
            outcome.memory = (
                f"memory: {grown:+.0f} KiB after the warm-up (allowed: {BOUND:.0f});"
                f" {sizes[0]} KiB at first, {sizes[-1]} at the end, {max(sizes)} at most"
            )


def _tell(
    server: str, lanes: list[Lane], ended: threading.Event, progress: Callable[[str], None]
) -> None:
    began = time.monotonic()
    while not ended.wait(_PROGRESS):
        done: dict[str, list[int]] = {}
        for lane in lanes:
            sums = done.setdefault(lane.kind, [0, 0])
            sums[0] += lane.done
            sums[1] += lane.goal
        text = ", ".join(f"{kind} {sums[0]}/{sums[1]}" for kind, sums in done.items())
        progress(f"{server}: {time.monotonic() - began:.0f} s: {text}")


def _keep(
    kept: Path, server: Server, outcome: Outcome, lanes: list[Lane], errors: list[str]
) -> Path:
    """Keep logs, state and the ledger of the lanes that failed, and the server's log."""
    folder = kept / f"{server.name.lower()}-{outcome.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "summary").write_text(outcome.text() + "\n")
    shutil.copy(server.log_file, folder / "server.log")
    for lane, error in zip(lanes, errors, strict=True):
        # A lane that broke off has not looked yet.
        found = broken(lane.facts)
        if not (found or error or lane.samples):
            continue
        there = folder / lane.name
        shutil.copytree(lane.bot.folder, there, ignore=shutil.ignore_patterns("*.sock"))
        (there / "broken.json").write_text(json.dumps(found, indent=1))
        (there / "facts.json").write_text(json.dumps(asdict(lane.facts), indent=1, default=sorted))
        (there / "samples.json").write_text(json.dumps(lane.samples))
        (there / "error").write_text(error)
    return folder


def print_line(text: str) -> None:
    """A line for the person who waits."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
