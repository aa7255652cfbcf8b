"""``python -m benchmarks``: run the scenarios with every available bot; print the medians."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from benchmarks import bots, report, scenarios
from benchmarks.latency import Latency
from benchmarks.scenarios import Bench
from benchmarks.stub import Stalled, Stub
from tests.integration.certificates import make_certificate

HERE = Path(__file__).parent
RESULTS = HERE / "results"

#: Maximum number of latency rounds; each takes half a minute.
LATENCY_ROUNDS = 3


def main() -> None:
    """Parse the command line, measure, and write the results."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="xbot-bench-"))
    compared = _available(options.bots, folder)
    measured = measure(compared, options.scenarios, options.rounds, folder)
    if "latency" in options.scenarios:
        measure_latency(compared, min(options.rounds, LATENCY_ROUNDS), folder, measured)
    RESULTS.mkdir(exist_ok=True)
    result = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "when": time.strftime("%Y-%m-%d %H:%M"),
        "rounds": options.rounds,
        "medians": {name: _medians(rounds) for name, rounds in measured.items()},
        "all": measured,
    }
    (RESULTS / "latest.json").write_text(json.dumps(result, indent=1) + "\n")
    shown = f"{report.table(result['medians'])}\n\n{report.goals(result['medians'])}"
    print(shown)
    if options.publish:
        report.publish("<!-- measured -->", shown)
        (report.DOCS / "performance.svg").write_text(report.chart(result["medians"]))


def measure(
    compared: dict[str, bots.Bot], wanted: list[str], rounds: int, folder: Path
) -> dict[str, list[dict[str, float]]]:
    """Measure all rounds of all bots; they alternate, so that none gets the quieter machine."""
    certificate = make_certificate(folder, scenarios.stanzas.DOMAIN)
    measured: dict[str, list[dict[str, float]]] = defaultdict(list)
    given_up: set[tuple[str, str]] = set()
    for round_number in range(rounds):
        for scenario in wanted:
            if scenario not in scenarios.SCENARIOS:
                continue
            function, only = scenarios.SCENARIOS[scenario]
            for name, bot in compared.items():
                if (only and name not in only) or (scenario, name) in given_up:
                    continue
                # A stub for each bot: a late reconnect must not reach another bot's stub.
                stub = Stub(certificate.chain, certificate.key)
                try:
                    figures = function(Bench(stub, certificate.authority, folder), bot)
                except Stalled as stalled:
                    print(f"{bot.name}, {scenario}: given up: {stalled}", file=sys.stderr)
                    given_up.add((scenario, name))
                    continue
                finally:
                    stub.close()
                measured[bot.name].append(figures)
        print(f"round {round_number + 1} of {rounds} is done", file=sys.stderr)
    return measured


def measure_latency(
    compared: dict[str, bots.Bot],
    rounds: int,
    folder: Path,
    measured: dict[str, list[dict[str, float]]],
) -> None:
    """Measure scenario LAT; the bots alternate."""
    latency = Latency.begin()
    if latency is None:
        print("skipped latency: apt install prosody", file=sys.stderr)
        return
    try:
        for _ in range(rounds):
            for bot in compared.values():
                measured[bot.name].append(latency.measure(bot, folder))
    finally:
        latency.end()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--publish", action="store_true", help="write the tables into docs/")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bots", nargs="+", default=bots.NAMES, choices=bots.NAMES)
    names = (*scenarios.SCENARIOS, "latency")
    parser.add_argument("--scenarios", nargs="+", default=names, choices=names)
    return parser.parse_args()


def _available(names: list[str], folder: Path) -> dict[str, bots.Bot]:
    found = {}
    for name in names:
        try:
            found[name] = bots.make(name, folder)
        except bots.Unavailable as unavailable:
            print(f"skipped {name}: {unavailable}", file=sys.stderr)
    return found


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    figures = defaultdict(list)
    for one in rounds:
        for name, value in one.items():
            figures[name].append(value)
    return {name: statistics.median(values) for name, values in figures.items()}


if __name__ == "__main__":
    main()
