"""Standard output, which may be closed, full, or unable to show what is printed."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from xbot.text.terminal import show_all

#: As of a program that SIGPIPE ended, and EX_IOERR of sysexits.h.
EXIT_PIPE, EXIT_FULL = 128 + signal.SIGPIPE, 74


@contextmanager
def guarded() -> Iterator[None]:
    """Print inside: what the terminal cannot show is escaped.

    Where nobody reads any more the process exits without a word
    (:data:`EXIT_PIPE`), on a full disk with one (:data:`EXIT_FULL`).
    """
    show_all(sys.stdout)
    try:
        try:
            yield
        finally:
            # It is closed where the shell says >&-.
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
    # Python would try once more in the end, and complain.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
