"""How much is answered: to one sender, in one room, by one responder. Told once, then silence."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from twisted.logger import Logger

from xbot.model.message import Message
from xbot.model.token_bucket import Rate, TokenBuckets, Verdict
from xbot.runtime.responder import Responder


class Over(NamedTuple):
    """Something is not answered. ``notice`` is what people are told, once; then it is empty."""

    notice: str = ""


class Limits:
    """The rates of ``[xbot]``, None for no limit, and those that responders have of their own.

    ``seconds`` is a clock that does not jump with the wall's.
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
        """From now on these; what was used up counts."""
        self._sender = sender
        self._room = room

    def rates(self, message: Message) -> list[str]:
        """Those of ``[xbot]`` that count this, in words."""
        rates = [f"{self._sender} of one sender"] if self._sender is not None else []
        if self._room is not None and message.room is not None:
            rates.append(f"{self._room} in one room")
        return rates

    def over(self, message: Message) -> Over | None:
        """Whether this is too much of its sender or its room; None if it is not."""
        if self._sender is None and self._room is None:
            return None
        # Whoever has a real address is one person under every nick and resource.
        who = message.identity or message.sender
        return self._take(
            self._senders, who, self._sender, "That was too much at once; try again in a moment."
        ) or (
            self._take(
                self._rooms,
                message.room,
                self._room,
                "I am asked too much here; try again in a moment.",
            )
            if message.room is not None
            else None
        )

    def over_of(self, responder: Responder) -> Over | None:
        """Whether this is too much of the responder."""
        name = responder.name
        if responder.rate is None:
            return None
        notice = f"{name} is asked too often; try again in a moment."
        return self._take(self._responders, name, responder.rate, notice)

    def _take(self, buckets: TokenBuckets, key: str, rate: Rate | None, notice: str) -> Over | None:
        verdict = Verdict.WITHIN if rate is None else buckets.take(key, rate)
        if verdict is Verdict.WITHIN:
            return None
        if verdict is Verdict.STILL:
            return Over()
        self._log.warn("throttled {key}: more than {rate}", key=key, rate=str(rate))
        return Over(notice)
