#!/bin/sh
# Guess: a test that counts live objects finds the same under "trial" and under "trial -j1".
# Seen (Twisted 26.10.0): a worker of "trial -j" turns each line that is logged into a request to
# its manager, and keeps about a dozen objects for each until the test returns to the reactor. So a
# test that logs and counts objects, without returning in between, passes alone and fails there.
# To live with it: have nothing observe the log while objects are counted.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "twisted==26.10.0"
cat > "$folder/test_growth.py" <<'PYTHON'
import gc
import os

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase


def objects():
    gc.collect()
    return len(gc.get_objects())


class Growth(SynchronousTestCase):
    def test_growth(self):
        log = Logger()
        log.info("the first line")
        before = objects()
        for number in range(1000):
            log.info("line {number}", number=number)
        with open(os.environ["WHERE"], "w") as file:
            file.write(str((objects() - before) // 1000))

PYTHON
cd "$folder"
WHERE="$folder/alone" PYTHONPATH="$folder" venv/bin/trial --temp-directory=t1 test_growth >/dev/null
WHERE="$folder/worker" PYTHONPATH="$folder" venv/bin/trial -j1 --temp-directory=t2 test_growth >/dev/null
alone=$(cat alone)
worker=$(cat worker)
echo "objects that stay for each line: trial $alone, trial -j1 $worker"
[ "$alone" -eq 0 ] && [ "$worker" -ge 5 ]
