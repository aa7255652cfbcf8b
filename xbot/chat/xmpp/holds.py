"""Circuit breakers of places that send our messages back: each keeps later messages waiting."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.internet.interfaces import IDelayedCall

from xbot.model.errors import NotConnected
from xbot.model.message import Message

#: Maximum number of places that are held; beyond it the oldest hold ends.
MAX_HELD = 1000

#: Seconds after which another message is tried if the outcome of the last try is not known.
TRY_TIMEOUT = 60.0


@define(eq=False)
class _Hold:
    """``until`` is when the next message may be tried, ``tried`` the id of that message."""

    reason: str
    delay: float
    until: float
    timer: IDelayedCall
    tried: str | None = None

    def stop(self) -> None:
        """Cancel the timer."""
        if self.timer.active():
            self.timer.cancel()


class Holds:
    """Circuit breakers by place: the key of a message's queue in the outbox.

    A place that sent something back is held. After a delay, which grows each time, one
    message is tried (half-open); when it arrives, the others follow. ``ready(place)`` is
    called when messages to the place may be tried again.
    """

    def __init__(self, clock: Any, ready: Callable[[str], None]) -> None:
        self._clock = clock
        self._ready = ready
        self._held: OrderedDict[str, _Hold] = OrderedDict()

    def __len__(self) -> int:
        """The number of places that are held."""
        return len(self._held)

    def hold(self, place: str, reason: str, first: float, last: float) -> None:
        """Hold ``place`` for ``first`` seconds, or twice as long as before, at most ``last``.

        Further messages that come back before the next try do not make it later.
        """
        known = self._held.get(place)
        now = self._clock.seconds()
        if known is not None and known.tried is None and now < known.until:
            return
        delay = first
        if known is not None:
            known.stop()
            delay = min(last, max(first, 2 * known.delay))
        timer = self._clock.callLater(delay, self._ready, place)
        self._held[place] = _Hold(reason, delay, now + delay, timer)
        if len(self._held) > MAX_HELD:
            self.release(next(iter(self._held)))

    def check(self, place: str, message: Message) -> None:
        """Let ``message`` pass, or raise :class:`NotConnected` while its place is held."""
        hold = self._held.get(place)
        if hold is None:
            return
        id, now = message.payload.get("id"), self._clock.seconds()
        if hold.tried is not None and hold.tried == id:
            return
        if now < hold.until:
            raise NotConnected(message.recipient, hold.reason)
        # If it is dropped before its outcome is known, another one is tried.
        hold.tried, hold.until = id, now + TRY_TIMEOUT
        hold.stop()
        hold.timer = self._clock.callLater(TRY_TIMEOUT, self._ready, place)

    def got_delivered(self, place: str, id: str) -> bool:
        """End the hold if this message was the try; the others follow. Returns whether it was."""
        hold = self._held.get(place)
        if hold is None or hold.tried != id:
            return False
        self.release(place)
        self._ready(place)
        return True

    def release(self, place: str) -> None:
        """End the hold, if there is one."""
        hold = self._held.pop(place, None)
        if hold is not None:
            hold.stop()

    def stop(self) -> None:
        """End all holds."""
        for place in list(self._held):
            self.release(place)
