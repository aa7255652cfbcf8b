"""SIGHUP, as a service: while it runs, the signal calls somebody in the reactor's thread."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service


class SighupService(Service):
    """Calls ``got_signal`` at each SIGHUP, which would end the process otherwise.

    To be started and stopped in the main thread, which alone may handle
    signals. In the end the handler is the one that was there before.
    """

    def __init__(self, reactor: Any, got_signal: Callable[[], object]) -> None:
        self._reactor = reactor
        self._got_signal = got_signal
        self._before: Any = None

    def startService(self) -> None:
        """Take the signal."""
        super().startService()
        self._before = signal.signal(signal.SIGHUP, self._handle)

    def stopService(self) -> None:
        """Give it back."""
        super().stopService()
        # A handler that was not Python's is None, and cannot be put back.
        signal.signal(signal.SIGHUP, self._before or signal.SIG_DFL)
        self._before = None

    def _handle(self, number: int, frame: object) -> None:
        # Between any two instructions of ours: nothing may happen here.
        self._reactor.callFromThread(self._got_signal)
