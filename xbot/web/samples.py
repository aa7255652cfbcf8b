"""Samples of the last hour, for the charts."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from attrs import frozen

from xbot.model.status import Overview

#: Seconds between two samples, and number of samples that are kept.
PERIOD, COUNT = 30.0, 120


@frozen
class Sample:
    """One sample: ``messages`` and ``commands`` since the one before, and the maximum ``lag``.

    ``round_trip`` and ``lag`` are in seconds. ``rooms`` is the fraction that is joined.
    ``is_starting``: the bot is not online because it has only just started.
    """

    is_online: bool
    rooms: float
    messages: int
    commands: int
    round_trip: float | None
    lag: float
    is_starting: bool = False


class Samples:
    """Ring buffer of the newest samples."""

    def __init__(self) -> None:
        self.taken: deque[Sample] = deque(maxlen=COUNT)
        self._messages: int | None = None
        self._commands = 0
        self._lag = 0.0

    def got_command(self) -> None:
        self._commands += 1

    def got_lag(self, seconds: float) -> None:
        """Record that the reactor was late by ``seconds``."""
        self._lag = max(self._lag, seconds)

    def take(self, overview: Overview) -> None:
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
                overview.is_starting,
            )
        )
        self._messages, self._commands, self._lag = messages, 0, 0.0


def _messages(fates: Mapping[str, int]) -> int:
    """Number of messages to the bot and in its rooms."""
    return fates.get("dispatched", 0) + fates.get("unmatched", 0)
