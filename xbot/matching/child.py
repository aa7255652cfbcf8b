"""A process that runs patterns for a :class:`~xbot.matching.worker.Worker`, and may be ended.

Run by its path, and it imports nothing of xbot: it is there in 20 ms, small,
and knows nothing worth stealing. A line of JSON asks: a text and patterns, each
with its kind and flags; a line of JSON for each of these answers, in order.
When a text takes longer than the limit (seconds of processor time, the first
argument), the system ends the process in the middle of the search, whoever
else is still there. It also ends when nobody can ask it any more.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from functools import lru_cache

_compiled = lru_cache(1024)(re.compile)


def find(text: str, kind: str, pattern: str, flags: int) -> dict[str, str] | None:
    """The named groups that took part, or None."""
    regex = _compiled(pattern, flags)
    found = regex.fullmatch(text) if kind == "match" else regex.search(text)
    if found is None:
        return None
    return {name: value for name, value in found.groupdict().items() if value is not None}


def main() -> None:
    """Answer until the input ends."""
    # These are for whoever started us: a Ctrl-C reaches all of a terminal's processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    limit = float(sys.argv[1])
    answers = sys.stdout
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        text, asked = json.loads(line)
        for _, pattern, flags in asked:
            _compiled(pattern, flags)
        signal.setitimer(signal.ITIMER_PROF, limit)
        for kind, pattern, flags in asked:
            answers.write(json.dumps(find(text, kind, pattern, flags)) + "\n")
            # At once: the first without an answer is the one that took too long.
            answers.flush()
        signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main()
