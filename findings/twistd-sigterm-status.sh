#!/bin/sh
# Guess: "twistd -n" that is stopped by SIGTERM exits with 0, as it does in a container.
# Seen (Twisted 26.10.0): after a clean shutdown it sends itself the same signal once more, so its
# parent sees an end by SIGTERM (143 in a shell). As PID 1 it exits with 0, but only because the
# kernel delivers no signal without a handler to PID 1. So the status changes as soon as any init
# process stands in front of it.
# To live with it: an init process that forwards a signal counts an end by that signal as 0.
# Needs unshare, as root or with user namespaces.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "twisted==26.10.0"
cat > "$folder/idle.py" <<'PYTHON'
import os
import signal

from twisted.application.service import Application
from twisted.internet import reactor

application = Application("idle")
reactor.callLater(0.5, os.kill, os.getpid(), signal.SIGTERM)
PYTHON
cd "$folder"
user=""
[ "$(id -u)" -eq 0 ] || user="--user --map-root-user"
set -- venv/bin/twistd --nodaemon --pidfile= --logfile=log --python=idle.py
child=0
"$@" || child=$?
first=0
# shellcheck disable=SC2086
unshare $user --pid --fork --mount-proc "$@" || first=$?
echo "status after SIGTERM: as a child $child, as PID 1 $first"
[ "$child" -eq 143 ] && [ "$first" -eq 0 ]
