"""Robust standard output: closed pipes, full disks, and characters that it cannot encode."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from xbot.text.terminal import show_all

#: Exit statuses: as after SIGPIPE in a shell, and EX_IOERR of sysexits.h.
EXIT_PIPE, EXIT_FULL = 128 + signal.SIGPIPE, 74


@contextmanager
def guarded() -> Iterator[None]:
    """Context manager for printing: escape characters that stdout cannot encode.

    On a closed pipe the process exits silently with :data:`EXIT_PIPE`, on a full disk
    with an error message and :data:`EXIT_FULL`.
    """
    show_all(sys.stdout)
    try:
        try:
            yield
        finally:
            # None: the shell closed it with >&-.
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            raise
        _forget()
        if error.errno == errno.EPIPE:
            raise SystemExit(EXIT_PIPE) from None
        print(f"xbot: cannot be written: {error.strerror}", file=sys.stderr)
        raise SystemExit(EXIT_FULL) from None


def _forget() -> None:
    # Redirect stdout to /dev/null: at exit Python would flush again, and print an error.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
