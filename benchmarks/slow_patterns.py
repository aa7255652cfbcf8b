"""``python -m benchmarks.slow_patterns``: how long patterns that explode hold the reactor up.

Each of some well-known ones on three long texts: what became of it, and the longest turn of the
reactor meanwhile. Then all of them at once, a text every 100 ms, without setting any aside.
"""

from __future__ import annotations

import argparse
import resource
import time
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import LoopingCall, deferLater, react
from twisted.logger import globalLogBeginner

from xbot.matching import breaker
from xbot.matching.guarded_search import GuardedSearch, OwnedPattern
from xbot.matching.pattern import MAX_SEARCHED, Pattern
from xbot.matching.strategy import Strategy
from xbot.process.threads import InThread

reactor: Any = _reactor

PATTERNS = (
    r"^(\w+\s?)*$",
    r"^(?!x)(\w+\s?)*$",
    r"(a+)+$",
    r"(a*)*[bc]",
    r"(a|a)*[bc]",
    r"(a|aa)+$",
    r"([a-zA-Z]+)*$",
    r"(x+x+)+y",
    r"(.*a){12}b",
    r"(.*)(.*)(.*)b",
    r"(.*)(.*)\1[bc]",
    r"(\w+)\s+\1\s+\1[bc]",
    r"(?=.*a)(?=.*[bc]).*",
    r"(?:a?){40}a{40}b",
    r"(?>(a+)*b)|c",
    r"(?:(a)|b)*(?(1)c|d)",
    r"(.+)+(.+)+(.+)+[bc]",
    r".*a.*a.*a.*b",
    r"\s+$",
    r"(\s*\w*)*[;:]",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"(\d+)*-(\d+)*-b",
    r"[A-Z]+-\d+",
    r"(?<!x)(a+)+[bc]",
    r"((a{0,30}){0,30}){0,30}b",
    r"(?P<key>\w+)\s*=\s*(?P<value>\w+);",
)
TEXTS = (
    "a" * (MAX_SEARCHED - 1) + "!",
    "a " * (MAX_SEARCHED // 2 - 1) + "!",
    " " * (MAX_SEARCHED - 1) + "!",
)


class ReactorTurns:
    """The longest time between two turns of a reactor that has something to do each millisecond."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = time.perf_counter()
        LoopingCall(self._turn).start(0.001)

    def _turn(self) -> None:
        now = time.perf_counter()
        self.longest = max(self.longest, now - self._last)
        self._last = now

    def reset(self) -> None:
        """Begin anew."""
        self.longest, self._last = 0.0, time.perf_counter()


async def each(turns: ReactorTurns) -> None:
    """A row for each pattern."""
    print("| pattern | by re up to | timed out | wall ms | CPU ms | longest turn ms |")
    print("|---|---:|---:|---:|---:|---:|")
    for source in PATTERNS:
        pattern = Pattern.hear(source)
        guarded = GuardedSearch(reactor, InThread(reactor))
        await guarded.find("x", [OwnedPattern(pattern, "")])
        wall, used, longest = 0.0, 0.0, 0.0
        for text in TEXTS:
            await deferLater(reactor, 0.01, lambda: None)
            turns.reset()
            start, cpu = time.perf_counter(), time.process_time()
            await guarded.find(text, [OwnedPattern(pattern, "")])
            wall = max(wall, time.perf_counter() - start)
            used = max(used, time.process_time() - cpu)
            longest = max(longest, turns.longest)
        shown = source.replace("|", "\\|")
        row = [f"{value * 1e3:.1f}" for value in (wall, used, longest)]
        ends = f"{guarded.counts['timed-out']} of {len(TEXTS)}"
        print(f"| `{shown}` | {Strategy(pattern).quick_length} | {ends} | {' | '.join(row)} |")


async def together(turns: ReactorTurns, seconds: float) -> None:
    """All patterns at once."""
    guarded = GuardedSearch(reactor, InThread(reactor))
    asked = [OwnedPattern(Pattern.hear(source), "") for source in PATTERNS]
    waiting: list[Deferred[Any]] = []
    turns.reset()
    cpu = time.process_time()
    for number in range(int(seconds / 0.1)):
        waiting.append(guarded.find(TEXTS[number % len(TEXTS)], asked))
        await deferLater(reactor, 0.1, lambda: None)
    used = time.process_time() - cpu
    print(f"\nall at once, {seconds:.0f} s: longest turn {turns.longest * 1e3:.1f} ms,", end=" ")
    print(f"CPU {used / seconds:.0%}, {dict(guarded.counts)},", end=" ")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB at most")
    guarded.stop()


async def measure(seconds: float) -> None:
    """Both."""
    turns = ReactorTurns()
    await each(turns)
    await together(turns, seconds)


def main() -> None:
    """Print the table, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    globalLogBeginner.beginLoggingTo([lambda event: None], redirectStandardIO=False)
    breaker.STRIKES = 1 << 30
    react(lambda _: ensureDeferred(measure(options.seconds)))


if __name__ == "__main__":
    main()
