"""Rate limits (token buckets) per sender, room and responder.

A key over its limit gets no answer until its bucket is full again. Messages count at the
time when they were said, which for a server's resend after an outage is some time ago.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from twisted.logger import Logger

from xbot.model.message import Message
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
        self._rooms = TokenBuckets(seconds)
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
        # A person with a known real address shares one bucket over all nicks and resources.
        who = message.identity or message.sender
        return self._take(
            self._senders, who, self._sender, "That was too much at once", message.waited
        ) or (
            self._take(
                self._rooms, message.room, self._room, "I am asked too much here", message.waited
            )
            if message.room is not None
            else None
        )

    def exceeded_for(self, responder: Responder, message: Message) -> RateExceeded | None:
        """Take a token of the responder's own rate; None if it had one."""
        name = responder.name
        if responder.rate is None:
            return None
        reason = f"{name} is asked too often"
        return self._take(self._responders, name, responder.rate, reason, message.waited)

    def _take(
        self, buckets: TokenBuckets, key: str, rate: Rate | None, reason: str, waited: float
    ) -> RateExceeded | None:
        """Take a token from the bucket of ``key``; None if it had one, or without a ``rate``."""
        verdict = Verdict.WITHIN if rate is None else buckets.take(key, rate, waited)
        if rate is None or verdict is Verdict.WITHIN:
            return None
        is_first = verdict is Verdict.OVER
        if is_first:
            self._log.warn("throttled {key}: more than {rate}", key=key, rate=str(rate))
        return RateExceeded(f"{reason} {key}", reason, buckets.wait(key, rate), is_first)
