"""The last hour in numbers, for the charts."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from attrs import frozen

from xbot.model.status import Overview

#: Seconds between two samples, and how many there are.
PERIOD, COUNT = 30.0, 120


@frozen
class Sample:
    """One moment; ``messages`` and ``commands`` came since the one before, ``lag`` was the worst.

    ``round_trip`` and ``lag`` are in seconds, ``rooms`` the part of them that we are in.
    """

    is_online: bool
    rooms: float
    messages: int
    commands: int
    round_trip: float | None
    lag: float


class Samples:
    """Takes a sample when told to, and keeps the newest."""

    def __init__(self) -> None:
        self.taken: deque[Sample] = deque(maxlen=COUNT)
        self._messages: int | None = None
        self._commands = 0
        self._lag = 0.0

    def got_command(self) -> None:
        """A run is over."""
        self._commands += 1

    def got_lag(self, seconds: float) -> None:
        """The reactor was late by so much."""
        self._lag = max(self._lag, seconds)

    def take(self, overview: Overview) -> None:
        """The bot is like this now."""
        messages = _messages(overview.fates)
        before = messages if self._messages is None else self._messages
        link, rooms = overview.link, len(overview.rooms)
        self.taken.append(
            Sample(
                link.is_online,
                overview.joined / rooms if rooms else 1.0,
                max(0, messages - before),
                self._commands,
                link.round_trip if link.is_online else None,
                self._lag,
            )
        )
        self._messages, self._commands, self._lag = messages, 0, 0.0


def _messages(fates: Mapping[str, int]) -> int:
    """What was said to us, or in our rooms."""
    return fates.get("dispatched", 0) + fates.get("unmatched", 0)
