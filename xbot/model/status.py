"""How the whole bot is at one moment, as a value, and in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum

from attrs import field, frozen

from xbot.model.recent_events import Change, Command

#: Of the rooms that refuse us, so many are named in a line.
MAX_NAMED = 3

#: Seconds by which anything may be late before it counts as stuck.
PATIENCE = 30.0

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
    server's, whose silence ends too. ``round_trip`` is the last ping's, in
    seconds; ``unacknowledged`` are stanzas under way, and ``ends`` counts how
    connections ended, by kind, and ``stale`` how often what was read was too old to be
    obeyed, because we were ``away`` or the link was ``stuck``.
    """

    state: str
    seconds: float
    problem: str | None = None
    next_try: float | None = None
    overdue: float = 0.0
    round_trip: float | None = None
    resumptions: int = 0
    unacknowledged: int = 0
    ends: Mapping[str, int] = field(factory=dict)
    stale: Mapping[str, int] = field(factory=dict)

    @property
    def is_stuck(self) -> bool:
        """Whether something is late beyond all patience."""
        return self.overdue > PATIENCE

    @property
    def is_online(self) -> bool:
        """Whether we are logged in."""
        return self.state == "online"


@frozen
class Place:
    """A room that we want to be in: its state, for how many seconds, and why.

    ``is_named``: the ini names it; somebody invited us to the others.
    """

    jid: str
    nick: str
    state: str
    reason: str
    seconds: float
    next_try: float | None = None
    is_named: bool = True

    @property
    def is_joined(self) -> bool:
        """Whether we hear and can speak there."""
        return self.state == "joined"


@frozen
class Skill:
    """A responder: what it is for, and whether it has effects."""

    name: str
    usage: str
    help: str
    has_effects: bool


@frozen
class Posts:
    """What was posted to webhooks since the start, and what is said of it.

    ``answers`` counts by webhook and HTTP status, ``texts`` by what became of
    them: one text for each room. ``waiting`` are those still to be said.
    """

    answers: Mapping[str, Mapping[str, int]]
    texts: Mapping[str, int]
    waiting: int


@frozen
class Overview:
    """Everything that can be read of a bot while it runs.

    ``uptime`` is in seconds, ``waiting`` counts what is to be said, ``fates``
    what became of messages and of runs, ``dropped`` stanzas that were no
    message, by reason. ``journal`` is None where nothing has effects, and
    ``posts`` where nobody can post.
    """

    phase: Phase
    link: Link
    rooms: tuple[Place, ...] = ()
    name: str = "xbot"
    jid: str = ""
    uptime: float = 0.0
    waiting: int = 0
    journal: str | None = None
    fates: Mapping[str, int] = field(factory=dict)
    dropped: Mapping[str, int] = field(factory=dict)
    skills: tuple[Skill, ...] = ()
    commands: tuple[Command, ...] = ()
    changes: tuple[Change, ...] = ()
    posts: Posts | None = None

    @property
    def joined(self) -> int:
        """In how many rooms we are."""
        return sum(room.is_joined for room in self.rooms)

    @property
    def is_ready(self) -> bool:
        """Whether people in all rooms of the ini can use the bot."""
        return self.link.is_online and all(room.is_joined for room in self.rooms if room.is_named)

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
