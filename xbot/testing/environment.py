"""Test environment of responders: a clock, a list of sent messages, a brain in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.task import Clock

from xbot.model.message import Message
from xbot.process.threads import RunsInThread
from xbot.runtime.environment import Environment
from xbot.runtime.failures import Failed
from xbot.testing.brain import MemoryBrain

#: Seconds of real time after which a function that can be cancelled is cancelled in a test.
MAX_REAL = 30.0


def in_this_thread(
    function: Callable[..., Any],
    /,
    *args: Any,
    cancel: Callable[[], object] | None = None,
    at_once: int | None = None,
    owner: str | None = None,
) -> Deferred[Any]:
    """Call ``function`` at once, in the current thread.

    A test's clock stands still meanwhile. So what can be cancelled is so after
    :data:`MAX_REAL` seconds of real time, and fails: else one without an end would hang.
    """
    if cancel is None:
        return maybeDeferred(function, *args)
    is_late = threading.Event()

    def got_limit() -> None:
        is_late.set()
        cancel()

    def check(result: Any) -> Any:
        timer.cancel()
        return fail(Failed(late, late)) if is_late.is_set() else result

    late = f"It did not finish within {MAX_REAL:g} s of real time."
    timer = threading.Timer(MAX_REAL, got_limit)
    timer.daemon = True
    timer.start()
    return maybeDeferred(function, *args).addBoth(check)


class ThreadlessClock(Clock):
    """A clock whose :meth:`callFromThread` calls at once."""

    def callFromThread(self, function: Callable[..., Any], *args: Any) -> None:
        function(*args)


@define(eq=False)
class FakeEnvironment:
    """The parts of an :class:`Environment` for a test; :meth:`environment` makes it.

    ``said`` collects the messages of the responder, ``rooms`` are bare addresses.
    ``saving``, if set, is called instead of the brain's ``flushed``.
    """

    clock: Any = field(factory=ThreadlessClock)
    in_thread: RunsInThread = in_this_thread
    said: list[Message] = field(factory=list)
    brain: MemoryBrain = field(factory=MemoryBrain)
    rooms: set[str] = field(factory=set)
    saving: Callable[[], Deferred[None]] | None = None

    def environment(self) -> Environment:
        """The Environment, for :func:`xbot.engine.loading.loader.load_responders`."""
        return Environment(
            self.clock,
            self.in_thread,
            self.said.append,
            self.brain.namespace,
            lambda: (self.saving or self.brain.flushed)(),
            self.rooms.__contains__,
            "xbot@example.org",
        )
