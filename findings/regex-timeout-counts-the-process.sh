#!/bin/sh
# Guess: the time limit of the package "regex" (timeout=, in seconds) is of the search's own time,
# or of the wall clock.
# Seen (regex 2026.11.19): it is the CPU time of the whole process. While another thread
# computes, a search that released the interpreter's lock (concurrent=True) is given up after half
# of that time of its own; while the others only wait, it has all of it. So in a busy server a
# search is given up sooner than its limit says, never later.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "regex==2026.11.19"
cat > "$folder/limit.py" <<'PYTHON'
import threading
import time

import regex

LIMIT = 0.5
# Quadratic, and valid: seconds of work that end.
PATTERN, TEXT = regex.compile("x*[yz]"), "x" * 200_000


def search(found):
    start = time.thread_time()
    try:
        PATTERN.search(TEXT, timeout=LIMIT, concurrent=True)
    except TimeoutError:
        found.append(time.thread_time() - start)


def own_time(main):
    found = []
    thread = threading.Thread(target=search, args=(found,))
    thread.start()
    main(thread)
    (seconds,) = found
    return seconds / LIMIT


def compute(thread):
    while thread.is_alive():
        sum(range(1000))


idle = own_time(threading.Thread.join)
# On a machine with other work a try may be an exception.
busy = min(own_time(compute) for _ in range(3))
print(f"own time of the search, as a part of its limit: {idle:.2f} idle, {busy:.2f} beside another")
raise SystemExit(not (idle > 0.85 and busy < 0.85 * idle))
PYTHON
"$folder/venv/bin/python" "$folder/limit.py"
