"""Rate limits (token buckets) per sender, room and responder; a room's rate is shared fairly.

A key over its limit gets no answer until its bucket is full again. Messages count at the
time when they were said, which for a server's resend after an outage is some time ago.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from twisted.logger import Logger

from xbot.engine.dispatch.person import name_of, party_of
from xbot.model.message import Message
from xbot.model.shared_bucket import SharedBuckets
from xbot.model.token_bucket import Rate, TokenBuckets, Verdict
from xbot.runtime.responder import Responder


class RateExceeded(NamedTuple):
    """A rate limit is exceeded: ``cause`` names it, ``reason`` is for the sender.

    ``wait`` is the time in seconds until it answers again. ``is_first``: this is the first
    message over it.
    """

    cause: str
    reason: str
    wait: float
    is_first: bool


class Limits:
    """The rate limits of senders, rooms and responders, each with a token bucket per key.

    ``sender`` and ``room`` are the rates of ``[xbot]``, None for no limit. Responders bring
    their own. ``seconds`` is a monotonic clock.
    """

    _log = Logger()

    def __init__(
        self,
        sender: Rate | None = None,
        room: Rate | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.change(sender, room)
        self._senders = TokenBuckets(seconds)
        self._rooms = SharedBuckets(seconds)
        self._responders = TokenBuckets(seconds)

    def change(self, sender: Rate | None, room: Rate | None) -> None:
        """Replace the rates of ``[xbot]``; the buckets keep their fill."""
        self._sender = sender
        self._room = room

    def rates(self, message: Message) -> list[str]:
        """The rates of ``[xbot]`` that count ``message``, in words."""
        rates = [f"{self._sender} of one sender"] if self._sender is not None else []
        if self._room is not None and message.room is not None:
            rates.append(f"{self._room} in one room")
        return rates

    def over(self, message: Message) -> RateExceeded | None:
        """Take a token for the sender and the room of ``message``; None if both had one."""
        if self._sender is None and self._room is None:
            return None
        # A person who is known shares one bucket over all nicks and resources.
        return self._over_of_sender(message) or self._over_in_room(message)

    def _over_of_sender(self, message: Message) -> RateExceeded | None:
        rate = self._sender
        if rate is None:
            return None
        who = name_of(message)
        verdict = self._senders.take(who, rate, message.waited)
        if verdict is Verdict.WITHIN:
            return None
        wait = self._senders.wait(who, rate)
        shown = message.identity or message.sender
        return self._exceeded(verdict, who, shown, rate, "That was too much at once", wait)

    def _over_in_room(self, message: Message) -> RateExceeded | None:
        room, rate = message.room, self._room
        if rate is None or room is None:
            return None
        who = party_of(message)
        verdict = self._rooms.take(room, who, rate, message.waited)
        if verdict is Verdict.WITHIN:
            return None
        wait = self._rooms.wait(room, who, rate)
        return self._exceeded(verdict, room, room, rate, "I am asked too much here", wait)

    def exceeded_for(self, responder: Responder, message: Message) -> RateExceeded | None:
        """Take a token of the responder's own rate; None if it had one."""
        if responder.rate is None:
            return None
        name, rate = responder.name, responder.rate
        verdict = self._responders.take(name, rate, message.waited)
        if verdict is Verdict.WITHIN:
            return None
        wait = self._responders.wait(name, rate)
        return self._exceeded(verdict, name, name, rate, f"{name} is asked too often", wait)

    def _exceeded(
        self, verdict: Verdict, key: str, shown: str, rate: Rate, reason: str, wait: float
    ) -> RateExceeded:
        """The meaning of a ``verdict`` over the rate; ``shown`` names the bucket in the log."""
        is_first = verdict is Verdict.OVER
        if is_first:
            self._log.warn("throttled {key}: more than {rate}", key=shown, rate=str(rate))
        return RateExceeded(f"{reason} {key}", reason, wait, is_first)
