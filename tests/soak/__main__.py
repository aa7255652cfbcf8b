"""Command line of the soak: ``python -m tests.soak --help``."""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

from attrs import asdict, fields

from tests.integration.ejabberd import Ejabberd
from tests.integration.prosody import Prosody
from tests.soak.soak import TENTH, Amount, Outcome, print_line, soak

_SERVERS = {"prosody": Prosody, "ejabberd": Ejabberd}

_WHAT = {
    "cuts": "cuts of the network, at random bytes",
    "kills": "SIGKILLs",
    "stops": "SIGSTOPs of 12 to 20 s",
    "long_stops": "SIGSTOPs of 101 to 120 s",
    "minutes": "minutes of mixed load for the memory",
}


def main(arguments: list[str]) -> int:
    """0 if all that must be 0 is, on each server."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--server", choices=sorted(_SERVERS), help="one alone; both otherwise")
    for each in fields(Amount):
        option = f"--{each.name.replace('_', '-')}"
        parser.add_argument(option, type=int, metavar="N", help=f"{_WHAT[each.name]}")
    parser.add_argument("--tenth", action="store_true", help="a tenth of everything, as in CI")
    parser.add_argument("--only", action="store_true", help="nothing but what is named by number")
    parser.add_argument("--seed", type=int, help="repeats the chances, though not the timing")
    parser.add_argument("--json", action="store_true", help="the summary as JSON, a line each")
    parser.add_argument(
        "--keep",
        type=Path,
        default=Path("build/soak"),
        metavar="FOLDER",
        help="where logs and state of what failed are kept (%(default)s)",
    )
    given = parser.parse_args(arguments)
    base = asdict(TENTH if given.tenth else Amount())
    if given.only:
        base = dict.fromkeys(base, 0)
    named = {name: count for name in base if (count := getattr(given, name)) is not None}
    amount = Amount(**{**base, **named})
    seed = random.SystemRandom().randrange(2**32) if given.seed is None else given.seed
    names = [given.server] if given.server else list(_SERVERS)
    progress = None if given.json else print_line
    outcomes = [soak(_SERVERS[name], amount, seed, given.keep, progress) for name in names]
    for outcome in outcomes:
        print_line(json.dumps(_plain(outcome)) if given.json else outcome.text())
    return 0 if all(outcome.is_good for outcome in outcomes) else 1


def _plain(outcome: Outcome) -> dict[str, object]:
    return {**asdict(outcome), "counts": dict(outcome.counts), "is_good": outcome.is_good}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
