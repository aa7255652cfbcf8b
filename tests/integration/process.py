"""Child processes with their output in a file, and polling with a deadline."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

#: Default deadline in seconds, with slack for a busy machine, where tests run beside each other.
DEADLINE = 60.0

#: Polling interval in seconds.
POLL = 0.02


_libc: Any = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _die_with_us() -> None:
    # A killed test run cleans nothing up; where the kernel can, it does.
    if hasattr(_libc, "prctl"):
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_until(condition: Callable[[], object], what: Callable[[], str], within: float) -> float:
    """Poll ``condition`` until it is true; returns the seconds it took, or fails with ``what``."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within:
            raise AssertionError(f"not within {within:g} s: {what()}")
        time.sleep(POLL)
    return time.monotonic() - began


class Process:
    """One child process, in a process group of its own. Its output is appended to ``output``."""

    def __init__(self, argv: Sequence[str], output: Path, env: Mapping[str, str], cwd: Path):
        self.output = output
        with output.open("ab") as file:
            self._popen = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
                preexec_fn=_die_with_us,  # noqa: PLW1509 - one system call
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._popen.pid

    @property
    def status(self) -> int | None:
        """How it ended, or None while it runs."""
        return self._popen.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self._popen.poll() is None:
            self._popen.send_signal(number)

    def wait(self, within: float = DEADLINE) -> int:
        """Its exit status; fails when it does not end."""
        wait_until(lambda: self.status is not None, lambda: f"its end\n{self.text()}", within)
        assert self.status is not None
        return self.status

    def stop(self, within: float = DEADLINE) -> None:
        """Ask it to end, and end it when it does not."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self._popen.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it and what it started, at once."""
        if self._popen.poll() is None:
            # Not reaped yet, so that the group's number is still its own.
            os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()

    def text(self) -> str:
        """All that it wrote, and those before it with the same file."""
        return read(self.output)


def say_figures(text: str) -> None:
    """Print one line for the person who runs the tests."""
    sys.stdout.write(f"\n{text}\n")
    sys.stdout.flush()


def read(path: Path) -> str:
    """The text of a file; empty if it does not exist yet."""
    try:
        return path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return ""
