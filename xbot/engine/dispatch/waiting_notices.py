"""Notices to people whose commands wait in a responder's queue: ``3 before you``."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from xbot.engine.dispatch.gates import Asked
from xbot.engine.dispatch.person import Reader, name_of, reader_of
from xbot.engine.dispatch.run_queue import RunQueue
from xbot.model.message import Message, reply_to


class Queued(Asked, Hashable, Protocol):
    """Protocol of a run that is in a queue."""


R = TypeVar("R", bound=Queued)

#: Seconds that a command waits before that is told.
TELL_AFTER = 2.0


class WaitingNotices(Generic[R]):
    """Tells people, in one line for each place, what of theirs waits, and behind how many.

    ``quote(run)`` gives the quoted command.
    """

    def __init__(
        self,
        clock: IReactorTime,
        say: Callable[[Message], object],
        quote: Callable[[R], str],
    ) -> None:
        self._clock = clock
        self._say = say
        self._quote = quote
        self._untold: dict[tuple[str, str, Reader], list[R]] = {}
        self._timers: dict[tuple[str, str, Reader], IDelayedCall] = {}

    def add(self, run: R, queue: RunQueue[R]) -> None:
        """``run`` waits in ``queue``."""
        if run.route.kind == "hear":
            # Its sender did not address the bot.
            return
        message = run.message
        key = run.responder.name, name_of(message), reader_of(message)
        self._untold.setdefault(key, []).append(run)
        if key not in self._timers:
            self._timers[key] = self._clock.callLater(TELL_AFTER, self._tell, key, queue)

    def stop(self) -> None:
        """Send no more notices."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._untold.clear()

    def _tell(self, key: tuple[str, str, Reader], queue: RunQueue[R]) -> None:
        del self._timers[key]
        runs = [run for run in self._untold.pop(key) if queue.is_waiting(run)]
        if not runs:
            return
        first, others = runs[0], len(runs) - 1
        what = self._quote(first) + (f" and {others} more wait" if others else " waits")
        before = queue.before(first)
        why = f"{before} before you" if before else f"{first.responder.name} is busy"
        self._say(reply_to(first.message, f"{what}: {why}."))
