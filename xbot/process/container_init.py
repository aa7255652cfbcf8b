"""Init process of a container: as PID 1, fork the bot, reap orphans, and forward signals.

The kernel gives orphans to PID 1: processes whose parent ended before them, such as what a
program of a responder left behind. If PID 1 does not wait for them, they stay zombies for
ever. The bot itself cannot: it would take the exit status of children that other code waits
for (``subprocess`` then reports success). So PID 1 does nothing else, and the bot, with all
children of its own, is another process.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import NoReturn

#: Signals for the bot: a reload, and how a container or a terminal stops it.
FORWARDED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


def leave_init(environ: Mapping[str, str]) -> None:
    """As PID 1, return in a child process only; the parent ends with the child's exit status.

    Otherwise do nothing. Call it early: before threads, child processes and open files. With
    ``NOTIFY_SOCKET`` it does nothing either, because systemd expects the main process there.
    """
    if os.getpid() != 1 or "NOTIFY_SOCKET" in environ:
        return
    # A signal that comes before it can be forwarded waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    try:
        bot = os.fork()
    except OSError as error:
        sys.stderr.write(f"no init process, so orphans become zombies: {error.strerror}\n")
        bot = 0
    if bot:
        _become_init(bot)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)


def _become_init(bot: int) -> NoReturn:
    """Run this module alone, in a fresh interpreter: small, and without the ini's password."""
    if sys.executable and os.path.isfile(__file__):
        with suppress(OSError):
            # -S, -P: no site-packages, and nothing from this folder, is imported.
            os.execv(sys.executable, [sys.executable, "-SP", __file__, str(bot)])  # noqa: S606
    os._exit(_reap(bot))


def _reap(bot: int) -> int:
    """Wait for all children until ``bot`` ends; return its exit status as a shell would.

    0 if it ends by a signal that was forwarded to it, as twistd does when it is stopped.
    """
    forwarded: set[int] = set()

    def forward(number: int, frame: object) -> None:
        forwarded.add(number)
        # It may have just been reaped; no other process has its PID then: they are given in
        # turn, and all of the container's processes end with this one.
        with suppress(ProcessLookupError):
            os.kill(bot, number)

    # With a terminal, Ctrl-C goes to all of its processes, so the bot has it already.
    from_terminal = {signal.SIGINT, signal.SIGQUIT} if os.isatty(0) else set()
    for number in FORWARDED:
        signal.signal(number, signal.SIG_IGN if number in from_terminal else forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    while True:
        pid, status = os.wait()
        if pid == bot:
            code = os.waitstatus_to_exitcode(status)
            if -code in forwarded | from_terminal:
                return 0
            return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(_reap(int(sys.argv[1])))
