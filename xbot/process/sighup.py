"""SighupService: calls a function in the reactor's thread at each SIGHUP."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service


class SighupService(Service):
    """Calls ``got_signal`` at each SIGHUP, which would end the process otherwise.

    Start and stop it in the main thread: Python allows signal handlers only there.
    Stopping restores the previous handler.
    """

    def __init__(self, reactor: Any, got_signal: Callable[[], object]) -> None:
        self._reactor = reactor
        self._got_signal = got_signal
        self._before: Any = None

    def startService(self) -> None:
        super().startService()
        self._before = signal.signal(signal.SIGHUP, self._handle)

    def stopService(self) -> None:
        super().stopService()
        # None is a handler that was not installed by Python; it cannot be restored.
        signal.signal(signal.SIGHUP, self._before or signal.SIG_DFL)
        self._before = None

    def _handle(self, number: int, frame: object) -> None:
        # A signal arrives between any two bytecodes: do nothing but schedule the call.
        self._reactor.callFromThread(self._got_signal)
