"""``python -m benchmarks.matching``: CPU time to find the responders of a message.

One message at a time, with 1 to 10,000 responders, against trying each pattern
with re in turn; both in this process, turn about, best of several rounds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

from xbot.matching.matcher import Matcher
from xbot.matching.pattern import Pattern

COUNTS = (1, 100, 1_000, 10_000)

#: A text that no pattern matches; each family has a text for the responder in the middle.
CHATTER = "I think that the release of last week is broken, can somebody have a look?"
FAMILIES: dict[str, tuple[Callable[[int], Pattern], Callable[[int], str]]] = {
    "match": (
        lambda n: Pattern.match(rf"deploy{n} (?P<app>[\w-]+)( to (?P<env>\w+))?"),
        lambda n: f"Deploy{n} web to staging",
    ),
    "hear": (
        lambda n: Pattern.hear(rf"\bticket{n}-(?P<number>\d+)"),
        lambda n: f"is ticket{n}-4711 done, or is somebody still at work on it?",
    ),
}


def naive(kind: str, patterns: Sequence[Pattern], text: str) -> object:
    """The baseline: try each pattern in turn; the first ``match``, or all ``hear``."""
    found = ((n, pattern.find(text)) for n, pattern in enumerate(patterns))
    fitting = ((n, groups) for n, groups in found if groups is not None)
    return next(fitting, None) if kind == "match" else list(fitting)


def microseconds(function: Callable[[], object]) -> float:
    """Microseconds for one call, averaged over about 20 ms of calls."""
    start = time.perf_counter()
    function()
    times = max(1, int(0.02 / max(time.perf_counter() - start, 1e-7)))
    start = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - start) / times * 1e6


def measure(kind: str, count: int, rounds: int) -> list[str]:
    """One row: the naive loop and the matcher, for chatter and for a text that matches."""
    make, saying = FAMILIES[kind]
    patterns = [make(number) for number in range(count)]
    start = time.perf_counter()
    matcher = Matcher(enumerate(patterns))
    made = time.perf_counter() - start
    ask = matcher.commands if kind == "match" else matcher.heard
    row = [kind, f"{count:,}"]
    for text in (CHATTER, saying(count // 2)):
        assert len(ask(text)) == (text != CHATTER)  # type: ignore[arg-type]
        best = [float("inf")] * 2
        for _ in range(rounds):
            best[0] = min(best[0], microseconds(lambda text=text: naive(kind, patterns, text)))
            best[1] = min(best[1], microseconds(lambda text=text: ask(text)))
        row += [f"{best[0]:,.1f}", f"{best[1]:.1f}"]
    return [*row, f"{made * 1e3:,.0f}"]


def main() -> None:
    """Print the table, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    options = parser.parse_args()
    heads = ("pattern", "responders", "chatter: loop", "matcher", "hit: loop", "matcher", "made in")
    units = ("", "", "us", "us", "us", "us", "ms")
    print("| " + " | ".join(f"{h} {u}".strip() for h, u in zip(heads, units, strict=True)) + " |")
    print("|" + "---|" * len(heads))
    for kind in FAMILIES:
        for count in options.counts:
            print("| " + " | ".join(measure(kind, count, options.rounds)) + " |")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
