"""How the whole bot is at one moment, as a value, and in words."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from attrs import frozen

#: Of the rooms that refuse us, so many are named in a line.
MAX_NAMED = 3

#: Of a reason, no more characters stand in a line.
MAX_REASON = 200


class Phase(Enum):
    """Where the daemon is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    RELOADING = "reloading"
    STOPPING = "stopping"


@frozen
class Link:
    """The connection: its state, for how many seconds, and what ended the one before.

    ``next_try`` is in so many seconds. ``overdue`` tells for how many seconds
    something should have happened that did not: a mistake of ours, never the
    server's, whose silence ends too.
    """

    state: str
    seconds: float
    problem: str | None = None
    next_try: float | None = None
    overdue: float = 0.0

    @property
    def is_online(self) -> bool:
        """Whether we are logged in."""
        return self.state == "online"


@frozen
class Place:
    """A room that we want to be in: its state, for how many seconds, and why."""

    jid: str
    nick: str
    state: str
    reason: str
    seconds: float
    next_try: float | None = None

    @property
    def is_joined(self) -> bool:
        """Whether we hear and can speak there."""
        return self.state == "joined"


@frozen
class Overview:
    """Everything that can be read of a bot while it runs."""

    phase: Phase
    link: Link
    rooms: tuple[Place, ...] = ()

    @property
    def joined(self) -> int:
        """In how many rooms we are."""
        return sum(room.is_joined for room in self.rooms)

    @property
    def is_ready(self) -> bool:
        """Whether people in all rooms can use the bot."""
        return self.link.is_online and self.joined == len(self.rooms)

    def in_words(self) -> str:
        """One line for people: ``in 12 of 13 rooms``, or why in none."""
        return ", ".join(self._words())

    def _words(self) -> Iterator[str]:
        if self.phase is Phase.RELOADING:
            yield "reading the ini again"
        elif self.phase is not Phase.RUNNING:
            yield self.phase.value
        if self.phase is not Phase.STARTING:
            yield from self._rooms_in_words() if self.link.is_online else [self._link_in_words()]

    def _link_in_words(self) -> str:
        link = self.link
        state = {"negotiating": "logging in", "failed": "given up"}.get(link.state, link.state)
        if link.next_try is not None:
            state = f"next try in {_about(link.next_try)}"
        return f"{state}: {link.problem[:MAX_REASON]}" if link.problem else state

    def _rooms_in_words(self) -> Iterator[str]:
        if not self.rooms:
            yield "logged in, to no room"
            return
        yield f"in {self.joined} of {len(self.rooms)} rooms"
        refused = [room.jid for room in self.rooms if room.state == "refused"]
        if refused:
            others = len(refused) - MAX_NAMED
            more = f" and {others} others" if others > 0 else ""
            yield f"refused by {' '.join(refused[:MAX_NAMED])}{more}"


def _about(seconds: float) -> str:
    """A wait, not told more finely than anyone reads it."""
    whole = max(0, round(seconds))
    return f"{whole if whole < 10 else -(-whole // 5) * 5} s"
