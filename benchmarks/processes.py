"""A bot's process, with its CPU time and memory as the kernel counts them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class Process:
    """A child process whose CPU time and memory can be read while it runs."""

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._log = log.open("ab")
        self.started_at = time.monotonic()
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, **(environment or {})},
        )
        # The CPU-time clock of another process: all of its threads, in nanoseconds.
        self._clock = (~self._child.pid << 3) | 2

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    def cpu(self) -> float:
        """Seconds of CPU time so far, user and system."""
        return time.clock_gettime_ns(self._clock) / 1e9

    def memory(self) -> int:
        """Resident set size in bytes."""
        status = Path(f"/proc/{self._child.pid}/statm").read_text()
        return int(status.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> None:
        """Terminate it; kill it after half a second."""
        self._child.terminate()
        try:
            self._child.wait(0.5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._log.close()
