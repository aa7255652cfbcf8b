"""Status of the whole bot at one moment (Overview), as a value and in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

from attrs import field, frozen

from xbot.model.recent_events import Change, Command

#: Maximum number of rooms that the status line names as refusing, and as mute.
MAX_NAMED = 3

#: Seconds that an expected event may be overdue before the connection counts as stuck.
PATIENCE = 30.0

#: Maximum length of a reason in the status line, in characters.
MAX_REASON = 200


class Phase(Enum):
    """Phase of the daemon's life."""

    STARTING = "starting"
    RUNNING = "running"
    RELOADING = "reloading"
    STOPPING = "stopping"


@frozen
class Link:
    """The connection: its state, for how many ``seconds``, and the ``problem`` that ended the last.

    - ``next_try``: seconds until the next attempt to connect.
    - ``overdue``: seconds since an expected event (a time-out, an attempt) should have
      happened. More than 0 means a mistake in xbot, never a silent server.
    - ``round_trip``: of the last ping, in seconds.
    - ``unacknowledged``: number of stanzas that the server has not acknowledged.
    - ``ends``: how often connections, and tries to connect, ended, by kind.
    - ``lost``: how many of these ends ended a session.
    - ``stale``: how often incoming data was too old to be obeyed, because the process was
      ``away`` (suspended) or the link was ``stuck``.
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
    lost: int = 0

    @property
    def is_stuck(self) -> bool:
        """Whether an expected event is overdue by more than :data:`PATIENCE`."""
        return self.overdue > PATIENCE

    @property
    def is_online(self) -> bool:
        return self.state == "online"


@frozen
class Place:
    """A room that the bot wants to be in: its state, for how many ``seconds``, and the reason.

    ``is_named``: the ini names it; if not, the bot was invited to it. ``mute`` says why the
    bot may not speak there; it is empty if it may.
    """

    jid: str
    nick: str
    state: str
    reason: str
    seconds: float
    next_try: float | None = None
    is_named: bool = True
    mute: str = ""

    @property
    def is_joined(self) -> bool:
        return self.state == "joined"

    @property
    def problem(self) -> str:
        """Why people in the room cannot use the bot; empty if they can."""
        return self.mute if self.is_joined else self.reason or self.state


@frozen
class Skill:
    """A responder: its usage and help lines, and whether it has effects."""

    name: str
    usage: str
    help: str
    has_effects: bool


@frozen
class Posts:
    """Counts of posts to webhooks since the start, and of the texts made from them.

    ``answers`` counts posts by webhook and HTTP status, ``texts`` counts texts (one per
    room) by outcome. ``waiting`` is the number of texts that are still to be sent.
    """

    answers: Mapping[str, Mapping[str, int]]
    texts: Mapping[str, int]
    waiting: int


@frozen
class Reload:
    """The last reload: when (seconds since 1970), and the problem if it was refused.

    ``applied_at`` is the time since which the ini that is in force is in force.
    """

    when: float
    applied_at: float
    problem: str | None = None


@frozen
class Overview:
    """Status of a running bot.

    ``uptime`` is in seconds. ``waiting`` is the length of the outbox, ``fates`` counts
    messages and runs by outcome, and ``dropped`` counts stanzas that were no message,
    by reason. ``journal`` is None if no responder has effects, and ``posts`` without
    webhooks. ``reload`` is the last reload; the start counts as one.
    ``writable`` tells for each state file whether it can be written.
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
    reload: Reload | None = None
    writable: Mapping[str, bool] = field(factory=dict)

    @property
    def joined(self) -> int:
        return sum(room.is_joined for room in self.rooms)

    @property
    def mute(self) -> int:
        """The number of rooms in which the bot may not speak."""
        return sum(bool(room.mute) for room in self.rooms)

    @property
    def is_starting(self) -> bool:
        """Whether the bot has not been online yet, and nothing has gone wrong so far."""
        link = self.link
        is_first = not link.is_online and link.problem is None and link.state != "failed"
        return self.phase is Phase.STARTING or (self.phase is Phase.RUNNING and is_first)

    @property
    def is_ready(self) -> bool:
        """Whether people in all rooms of the ini can use the bot."""
        return self.link.is_online and all(not room.problem for room in self.rooms if room.is_named)

    def in_words(self) -> str:
        """The status line: ``in 12 of 13 rooms``, or why in none."""
        return ", ".join(self._words())

    def _words(self) -> Iterator[str]:
        if self.phase is Phase.RELOADING:
            yield "reading the ini again"
        elif self.phase is not Phase.RUNNING:
            yield self.phase.value
        if self.phase is not Phase.STARTING:
            yield from self._rooms_in_words() if self.link.is_online else [self._link_in_words()]
        if self.reload is not None and self.reload.problem:
            yield f"the last reload was refused: {self.reload.problem[:MAX_REASON]}"

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
            yield f"refused by {_named(refused)}"
        mute = [room.jid for room in self.rooms if room.mute]
        if mute:
            yield f"may not speak in {_named(mute)}"


def _named(rooms: Sequence[str]) -> str:
    """The first few rooms, and the number of the others."""
    others = len(rooms) - MAX_NAMED
    more = f" and {others} others" if others > 0 else ""
    return f"{' '.join(rooms[:MAX_NAMED])}{more}"


def _about(seconds: float) -> str:
    """A wait in words, rounded up: from 10 seconds on to the next 5, from 55 on to minutes."""
    whole = max(0, round(seconds))
    if whole > 55:
        return f"{-(-whole // 60)}m" if whole < 3600 else f"{-(-whole // 3600)}h"
    return f"{whole if whole < 10 else -(-whole // 5) * 5} s"
