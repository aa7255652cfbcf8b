"""Run a child program, capture its output, and kill its whole process group afterwards.

Blocking: call it in a thread. Output beyond a limit is read and discarded: a limit on
what is shown does not stop what is done. A descendant that leaves the process group is
not killed, but does not delay us either.
"""

from __future__ import annotations

import codecs
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from attrs import define, evolve, field, frozen

from xbot.model.errors import XbotError, reason
from xbot.model.markup import code
from xbot.runtime.failures import Failed
from xbot.text.terminal import printed

#: In seconds: poll interval for cancellation, time from SIGTERM to SIGKILL, and time for
#: reading the pipes after the program has ended.
POLL = 0.05
GRACE = 1.0
DRAIN = 0.2

#: Seconds between two reads of output that is discarded, so that a flood does not take
#: the interpreter's lock from the reactor. A pipe holds 64 KiB, so this is 64 MB/s.
PACE = 0.001

#: Maximum size of the output that is kept, and of the stderr that is kept for the log, in bytes.
OUTPUT_LIMIT = 16384
ERRORS_LIMIT = 2048

_NOT_INHERITED = ("CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "LISTEN_")


class CannotRun(XbotError):
    """The program did not start: it is missing or not executable, or an argument is invalid."""

    def __init__(self, program: str, reason: str) -> None:
        super().__init__(f"cannot run {program!r}: {reason}")
        self.program = program
        self.reason = reason


@frozen
class ProgramResult:
    """Output and exit status of a program; a negative ``status`` is minus the signal's number.

    ``status`` is None while the program is running. It printed ``size`` bytes; if
    ``truncated``, ``output`` holds the first ``limit`` of them.
    """

    output: str
    status: int | None
    truncated: bool = False
    errors: str = ""
    size: int = field(default=0, eq=False)
    limit: int = field(default=0, eq=False)

    @property
    def cut(self) -> str:
        """Description of what was cut, for the log and the person; empty if nothing was."""
        if not self.truncated:
            return ""
        return f"only the first {self.limit:,} of {self.size:,} bytes"


def run_program(
    argv: Sequence[str],
    cancelled: threading.Event,
    output: Capture | None = None,
    cwd: Path | None = None,
) -> ProgramResult:
    """Run ``argv`` (no shell) until it ends or ``cancelled`` is set.

    ``output`` keeps the beginning of its output; the rest is read and discarded. The whole
    process group gets SIGKILL in every case; after a cancellation SIGTERM first. Raises
    :class:`CannotRun`.
    """
    process = _start(argv, cwd)
    assert process.stdout is not None
    assert process.stderr is not None
    output, errors = output or Capture(), Capture(ERRORS_LIMIT)
    try:
        with process.stdout, process.stderr, selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, output)
            selector.register(process.stderr, selectors.EVENT_READ, errors)
            _follow(process.pid, selector, cancelled)
            if cancelled.is_set():
                _terminate(process.pid)
    finally:
        # Kill the group before its leader is reaped: until then the kernel cannot reuse
        # its PID.
        _signal_group(process.pid, signal.SIGKILL)
        status = process.wait()
    return evolve(output.result(), status=status, errors=errors.text())


def check_arguments(argv: Sequence[str]) -> None:
    """Raise :class:`CannotRun` for arguments that no program can get, as a start would."""
    for each in argv:
        try:
            encoded = os.fsencode(each)
        except ValueError as error:
            raise CannotRun(argv[0], reason(error)) from error
        if b"\0" in encoded:
            raise CannotRun(argv[0], "embedded null byte")


def answer_of(name: str, result: ProgramResult) -> str:
    """The answer of the responder ``name`` for ``result``; raises :class:`Failed` on a failure.

    Output of several lines becomes a code block. Of a program that is running it is the output
    so far, which may be empty. If output was cut, the notices about that
    and about a failure come first, so that they are on the first page.
    """
    output = printed(result.output).rstrip("\n")
    if "\n" in output:
        output = code(output)
    if result.truncated:
        output = f"[{result.cut}]\n{output}"
    if result.status is None:
        return output
    if result.status == 0:
        return output if output.strip() else f"{name}: done"
    how = f"exit status {result.status}" if result.status > 0 else _signal_name(-result.status)
    answer = f"{name} failed ({how})."
    if result.truncated:
        answer = f"{answer}\n{output}"
    elif output.strip():
        answer = f"{output}\n{answer}"
    raise Failed(
        answer,
        reason=f"{how}; it wrote to stderr: {result.errors!r}",
    )


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment for a child: without our systemd credentials and notification socket."""
    return {name: value for name, value in inherited.items() if not name.startswith(_NOT_INHERITED)}


@define
class Capture:
    """The first ``limit`` of the ``size`` bytes that were read from a pipe."""

    limit: int = OUTPUT_LIMIT
    size: int = 0
    _kept: bytearray = field(factory=bytearray)

    def add(self, data: bytes) -> None:
        self.size += len(data)
        self._kept += data[: self.limit - len(self._kept)]

    @property
    def is_over(self) -> bool:
        """Whether bytes were discarded."""
        return self.size > self.limit

    def text(self) -> str:
        # If the output was cut, drop an incomplete character at its end.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return decoder.decode(bytes(self._kept), not self.is_over)

    def result(self) -> ProgramResult:
        """The result of a program that is running. May be called from another thread."""
        return ProgramResult(self.text(), None, self.is_over, size=self.size, limit=self.limit)


def _start(argv: Sequence[str], cwd: Path | None) -> subprocess.Popen[bytes]:
    """Start the program without a shell, as the leader of a new process group."""
    try:
        return subprocess.Popen(  # noqa: S603 - no shell, and argv is the operator's
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=cwd,
            env=environment(os.environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        # ValueError: an argument has a NUL or a lone surrogate.
        raise CannotRun(argv[0], reason(error)) from error


def _follow(pid: int, selector: selectors.BaseSelector, cancelled: threading.Event) -> None:
    """Read until the program has ended and its pipes are empty, or ``cancelled`` is set."""
    drained_at: float | None = None
    while not cancelled.is_set():
        if drained_at is None and _has_ended(pid):
            drained_at = time.monotonic() + DRAIN
        is_open = bool(selector.get_map())
        if drained_at is not None and (not is_open or time.monotonic() >= drained_at):
            return
        if not is_open:
            cancelled.wait(POLL / 10)
            continue
        for key, _ in selector.select(POLL):
            data = os.read(key.fd, 65536)
            if data:
                key.data.add(data)
                if key.data.is_over:
                    time.sleep(PACE)
            else:
                selector.unregister(key.fileobj)


def _has_ended(pid: int) -> bool:
    # Checks without reaping (WNOWAIT): see the end of run_program.
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _terminate(pid: int) -> None:
    """Send SIGTERM to the process group, and wait at most GRACE seconds for its leader."""
    _signal_group(pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while not _has_ended(pid) and time.monotonic() < deadline:
        time.sleep(POLL / 5)


def _signal_group(pid: int, number: signal.Signals) -> None:
    # start_new_session made the child the leader of a group of its own.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _signal_name(number: int) -> str:
    try:
        return f"killed by {signal.Signals(number).name}"
    except ValueError:
        return f"killed by signal {number}"
