"""Rate limits (token buckets) per sender, room and responder; a room's rate is shared fairly.

The first message over a limit gets a notice; the next ones get no answer until the bucket
has a token again.
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
    """A rate limit is exceeded. ``notice`` is the reply, empty if it was sent already."""

    notice: str = ""


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
        if self._sender is None:
            return None
        verdict = self._senders.take(name_of(message), self._sender)
        notice = "That was too much at once; try again in a moment."
        shown = message.identity or message.sender
        return self._exceeded(verdict, shown, self._sender, notice)

    def _over_in_room(self, message: Message) -> RateExceeded | None:
        if self._room is None or message.room is None:
            return None
        verdict = self._rooms.take(message.room, party_of(message), self._room)
        notice = "I am asked too much here; try again in a moment."
        return self._exceeded(verdict, message.room, self._room, notice)

    def exceeded_for(self, responder: Responder) -> RateExceeded | None:
        """Take a token of the responder's own rate; None if it had one."""
        if responder.rate is None:
            return None
        name = responder.name
        notice = f"{name} is asked too often; try again in a moment."
        return self._exceeded(
            self._responders.take(name, responder.rate), name, responder.rate, notice
        )

    def _exceeded(self, verdict: Verdict, key: str, rate: Rate, notice: str) -> RateExceeded | None:
        """The meaning of ``verdict``; ``notice`` is the reply to the first message over the rate.

        ``key`` names the bucket in the log.
        """
        if verdict is Verdict.WITHIN:
            return None
        if verdict is Verdict.STILL:
            return RateExceeded()
        self._log.warn("throttled {key}: more than {rate}", key=key, rate=str(rate))
        return RateExceeded(notice)
