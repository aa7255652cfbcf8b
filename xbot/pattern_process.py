"""The process that runs guarded patterns, on a reactor: :mod:`xbot.matching.child`'s edge."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from xbot.matching import child
from xbot.matching.worker import LIMIT, Child, Spawn


def spawn_on(reactor: Any) -> Spawn:
    """How a worker starts its processes, with the reactor's means."""

    def spawn(got_output: Callable[[bytes], None], got_end: Callable[[], None]) -> Child:
        process = _PatternProcess(got_output, got_end)
        reactor.spawnProcess(
            process,
            sys.executable,
            # Isolated: neither the environment nor the current folder has a say in it.
            [sys.executable, "-I", "-S", child.__file__, str(LIMIT)],
            # Ours may lead to secrets (CREDENTIALS_DIRECTORY) or to systemd (NOTIFY_SOCKET).
            env={},
            childFDs={0: "w", 1: "r", 2: "r"},
        )
        return process

    return spawn


class _PatternProcess(ProcessProtocol):
    _log = Logger()

    def __init__(self, got_output: Callable[[bytes], None], got_end: Callable[[], None]) -> None:
        self._got_output = got_output
        self._got_end = got_end

    def write(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def kill(self) -> None:
        assert self.transport is not None
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def outReceived(self, data: bytes) -> None:
        self._got_output(data)

    def errReceived(self, data: bytes) -> None:
        self._log.error("the process for patterns says: {words}", words=data[:2048])

    def processEnded(self, reason: Failure) -> None:
        self._got_end()
