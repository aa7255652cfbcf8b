"""One room's life as an explicit machine, driven by presence and a clock (XEP-0045)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.words.xish import domish

from xbot.chat.backoff import Backoff
from xbot.chat.xmpp.rooms.join_queue import JoinQueue
from xbot.chat.xmpp.rooms.refusals import Refusal, refusal, removal
from xbot.chat.xmpp.rooms.requests import (
    default_configuration,
    join_presence,
    leave_presence,
    nick_presence,
)
from xbot.chat.xmpp.rooms.self_ping import Ask, SelfPing, Standing
from xbot.chat.xmpp.stanzas.occupants import Occupants
from xbot.chat.xmpp.stanzas.presence import RoomPresence
from xbot.chat.xmpp.stanzas.status_codes import ROOM_CREATED
from xbot.chat.xmpp.stream.stream_timer import StreamTimer
from xbot.config.settings import RoomSettings
from xbot.model.errors import InvalidJid
from xbot.model.jid import Jid

#: Seconds of silence that a room may let pass before it answers our wish to
#: join, and all the seconds it has while it sends us its occupants.
JOIN_TIMEOUT, JOIN_LONGEST = 30.0, 300.0

#: Seconds after the self-presence when a room that sends no subject counts as
#: caught up: the end of its history must not be waited for in vain.
SUBJECT_TIMEOUT = 5.0

#: Seconds for a room to answer that we left it, and that we want another nick.
LEAVE_TIMEOUT = NICK_TIMEOUT = 10.0

FIRST_RETRY, LAST_RETRY = 2.0, 300.0

#: The same after a refusal that only a person can change: who does so may not tell us.
FIRST_RARE_RETRY, LAST_RARE_RETRY = 900.0, 4 * 3600.0

#: Seconds in the room after which a removal is a new one, not the last one again.
STAY = 60.0

#: How often a nick that is taken gets one more underscore before we wait.
MAX_NICKS = 5


class State(Enum):
    """Where a room is; ``REFUSED`` is left by a new session, a person, or a rare retry."""

    ABSENT = "absent"
    JOINING = "joining"
    JOINED = "joined"
    STALE = "stale"
    LEAVING = "leaving"
    REFUSED = "refused"


#: Where we are inside, as far as we know.
_INSIDE = (State.JOINED, State.STALE)

#: Where the room's word leads that answers our wish to join, unless it is "not now".
_ANSWERS = (*_INSIDE, State.REFUSED)


class Status(NamedTuple):
    """What can be read at any time; times are the clock's seconds."""

    state: State
    since: float
    reason: str
    next_try: float | None = None


class Environment(NamedTuple):
    """What a room has around it.

    ``send`` drops what cannot be sent now, ``ping`` asks an occupant, and
    ``turns`` are those of the room's service. ``joined`` is called each time we
    can speak in the room, ``refused`` once it has refused us for good, and ``left``
    once we are out of it as we wished. ``numbers`` are given to its occupants. While
    ``is_stale()``, what came lately is not read yet, so that silence means nothing.
    """

    send: Callable[[domish.Element], None]
    ping: Ask
    clock: Any
    uniform: Callable[[float, float], float]
    turns: JoinQueue
    is_connected: Callable[[], bool] = lambda: True
    ping_interval: Callable[[], float] = lambda: 300.0
    joined: Callable[[Room], None] = lambda room: None
    left: Callable[[Room], None] = lambda room: None
    is_stale: Callable[[], bool] = lambda: False
    refused: Callable[[Room], None] = lambda room: None
    numbers: Iterator[int] | None = None

    def hears(self) -> bool:
        """Whether what comes is read when it comes."""
        return self.is_connected() and not self.is_stale()


class Room:
    """One room that we want to be in.

    The owner tells what happens; the room keeps its own time: whatever it waits
    for has an end. :attr:`status` says where it stands, and why.

    ``caught_up`` is the heart: until the self-presence *and* the subject that
    ends the history (or :data:`SUBJECT_TIMEOUT` without one), all that is said
    here is the past.
    """

    _log = Logger("xbot.chat.xmpp.rooms")

    def __init__(self, settings: RoomSettings, around: Environment) -> None:
        self.settings = settings
        self.jid: Jid = settings.jid
        #: The text of it, which every message from here bears.
        self.address = str(settings.jid)
        self.state = State.ABSENT
        self.reason = "not joined yet"
        self.since: float = around.clock.seconds()
        self.nick = settings.nick
        self.caught_up = False
        self.occupants = Occupants(around.numbers)
        self._around = around
        self._clock = around.clock
        self._alarm = StreamTimer(around.clock, around.hears)
        self._self_ping = SelfPing(
            around.ping,
            self._address,
            self._got_self_ping,
            around.clock,
            StreamTimer(around.clock, around.hears),
            around.uniform,
            around.ping_interval,
        )
        self._backoff = Backoff(FIRST_RETRY, LAST_RETRY, around.uniform)
        self._rare_backoff = Backoff(FIRST_RARE_RETRY, LAST_RARE_RETRY, around.uniform)
        self._nicks_tried = 0
        # Whether the room may count us in: we asked, and it said neither no nor goodbye.
        self._may_be_inside = False
        self._returns = False
        self._asked_at = self._joined_at = self.since
        self._renaming_until = self.since
        self._waiting: list[Deferred[None]] = []

    @property
    def status(self) -> Status:
        """Where it is, since when and why, and when it does something by itself."""
        alarms = {
            State.ABSENT: self._alarm.at,
            State.REFUSED: self._alarm.at,
            State.STALE: self._self_ping.next_try,
        }
        return Status(self.state, self.since, self.reason, alarms.get(self.state))

    # What the owner tells.

    def enter(self) -> None:
        """There is a session: be in the room, as soon as it is our turn."""
        if self.state not in (State.ABSENT, State.REFUSED):
            return
        self._become(State.ABSENT, "waits for its turn")
        self._around.turns.ask(self, self._begin)

    def ask_again(self, why: str) -> None:
        """Ask to be let in after all: a person did something that may have changed it."""
        if self.state is State.REFUSED:
            self._rare_backoff.reset()
            self._log.info("{room}: tried again: {why}", room=self.jid, why=why)
            self.enter()

    def leave(self) -> None:
        """Leave for good."""
        self._returns = False
        if self.state is State.LEAVING:
            return
        if self._may_be_inside:
            self._become(State.LEAVING, "we leave")
            self._say_goodbye()
        else:
            self._got_out()

    def change(self, settings: RoomSettings) -> None:
        """Other settings for the same room, from now on; there is a session."""
        before, self.settings = self.settings, settings
        wish = (settings.nick, settings.password)
        if self.state is State.LEAVING:
            self._returns = True
        elif self.state is State.JOINING:
            if wish != (before.nick, before.password):
                self.leave()
                self._returns = True
        elif self.state in _INSIDE:
            if settings.nick != before.nick:
                self._ask_for_our_nick()
        elif not self._around.turns.is_waiting(self):
            self.enter()

    def session_lost(self) -> None:
        """The session ended, and every room with it."""
        was_leaving = self.state is State.LEAVING and not self._returns
        self._may_be_inside = self._returns = False
        self._become(State.ABSENT, "left" if was_leaving else "no connection")
        self._backoff.reset()
        self._rare_backoff.reset()
        if was_leaving:
            self._around.left(self)

    def resumed(self) -> None:
        """The session goes on, on another stream."""
        self._alarm.resumed()
        self._self_ping.resumed()

    def heard(self) -> None:
        """The room lets us hear something, which it does for its occupants only."""
        self._self_ping.heard()
        if self.state is State.STALE:
            self._revive("it speaks again")

    def got_bounce(self) -> None:
        """What we said came back with an error: are we still in?"""
        if self.state in _INSIDE:
            self._self_ping.doubt()

    def got_presence(self, presence: RoomPresence) -> None:
        """A presence came from the room, or from an occupant of it."""
        if not self._may_be_inside:
            return
        if presence.error is not None:
            self._got_error(presence.error)
            return
        self.heard()
        if self.state is State.LEAVING:
            if presence.is_self and not presence.available:
                self._got_out()
        elif presence.is_self:
            self._got_self(presence)
        elif presence.nick is None:
            if presence.destroyed:
                self._got_removal(presence)
        elif presence.available:
            self.occupants.keep(presence.nick, presence.occupant)
        elif presence.nick == self.nick and self.state in _INSIDE:
            # A service that forgets status 110 here must not leave us deaf.
            self._got_our_end(presence)
        else:
            self._got_end(presence, presence.nick)

    def got_subject(self) -> None:
        """The room's subject came: after our self-presence, it ends the history."""
        if self.state is State.JOINED and not self.caught_up:
            self._catch_up()

    def listening(self) -> Deferred[None]:
        """Fires once the room is joined and caught up."""
        if self.caught_up:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    # Into the room.

    def _begin(self) -> None:
        if not self._around.is_connected():
            self._alarm.set(0.0, self._begin)
            return
        self._nicks_tried = 0
        self._join(self.jid.with_resource(self.settings.nick))

    def _join(self, address: Jid) -> None:
        assert address.resource is not None
        self._become(State.JOINING, f"asked to be let in as {address.resource!r}")
        self.nick = address.resource
        self._may_be_inside = True
        self._asked_at = self._clock.seconds()
        self._alarm.set(JOIN_TIMEOUT, self._got_silence)
        self._around.send(join_presence(address, self.settings.password))

    def _got_silence(self) -> None:
        # A large room takes its time to tell us who is there.
        last = max(self._asked_at, min(self._self_ping.heard_at, self._asked_at + JOIN_LONGEST))
        rest = last + JOIN_TIMEOUT - self._clock.seconds()
        if rest > 0:
            self._alarm.set(rest, self._got_silence)
        else:
            self._retry(f"no answer within {JOIN_TIMEOUT:g} s")

    def _got_error(self, condition: str) -> None:
        """An error about something else (a private message, say) is no presence."""
        if self.state is State.JOINING:
            self._got_refusal(condition)
        elif self.state is State.LEAVING:
            self._got_out()
        elif self._is_renaming:
            self._renaming_until = self._clock.seconds()
            self._log.info(
                "{room}: stays {nick!r}: {condition}",
                room=self.jid,
                nick=self.nick,
                condition=condition,
            )

    def _got_refusal(self, condition: str) -> None:
        # XEP-0045 7.2.8: somebody else is called that.
        if condition == "conflict" and self._nicks_tried + 1 < MAX_NICKS:
            self._nicks_tried += 1
            try:
                nick = self.settings.nick + "_" * self._nicks_tried
                self._join(self.jid.with_resource(nick))
                return
            except InvalidJid:
                self._log.debug("{room}: no longer nick is possible", room=self.jid)
        self._may_be_inside = False
        self._stay_out(refusal(condition))

    def _got_self(self, presence: RoomPresence) -> None:
        if not presence.available:
            if self.state in _INSIDE:
                self._got_our_end(presence)
            return
        self._renaming_until = self._clock.seconds()
        if presence.nick is not None:
            # XEP-0045 7.2.3, status 210: it may be another than we asked for.
            self._be_called(presence.nick)
            self.occupants.keep(presence.nick, presence.occupant)
        # Late ones count too: we asked, and the room says that we are in.
        if self.state not in _INSIDE:
            self._let_in(presence)

    def _let_in(self, presence: RoomPresence) -> None:
        self._become(State.JOINED, f"as {self.nick!r}")
        self._joined_at = self._clock.seconds()
        self._rare_backoff.reset()
        if ROOM_CREATED in presence.codes:
            self._around.send(default_configuration(self.jid))
        self._alarm.set(SUBJECT_TIMEOUT, self._catch_up)
        self._self_ping.start()
        self._around.joined(self)
        # Its holder may have left while we asked for another one.
        if self._nicks_tried and self.occupants.get(self.settings.nick) is None:
            self._ask_for_our_nick()

    def _catch_up(self) -> None:
        self._alarm.stop()
        self.caught_up = True
        self._log.debug("{room}: caught up, listening", room=self.jid)
        waiting, self._waiting = self._waiting, []
        for listening in waiting:
            listening.callback(None)

    # Inside.

    def _got_end(self, presence: RoomPresence, nick: str) -> None:
        """Another occupant left, or is called otherwise."""
        if presence.is_rename and (new := self._nick(presence.new_nick)) is not None:
            self.occupants.rename(nick, new)
        else:
            self.occupants.forget(nick)
            if presence.occupant.affiliation == "outcast":
                self.occupants.ban(presence.occupant.identity)
        if nick == self.settings.nick:
            self._ask_for_our_nick()

    def _got_our_end(self, presence: RoomPresence) -> None:
        if not presence.is_rename:
            self._got_removal(presence)
            return
        # XEP-0045 7.6: our old nick goes; the new one follows in a presence of its own.
        old = presence.nick or self.nick
        if (new := self._nick(presence.new_nick)) is None:
            self.occupants.forget(old)
        else:
            self.occupants.rename(old, new)
            self._be_called(new)

    def _be_called(self, nick: str) -> None:
        if nick != self.nick and self.state in _INSIDE:
            self._log.info("{room}: now as {nick!r}", room=self.jid, nick=nick)
        self.nick = nick

    def _nick(self, text: str | None) -> str | None:
        """What another wrote, if it can be a nick."""
        try:
            return self.jid.with_resource(text).resource if text else None
        except InvalidJid:
            return None

    def _ask_for_our_nick(self) -> None:
        """Ask to be called as the settings say; who refuses it leaves us as we are."""
        if self.state in _INSIDE and self.nick != self.settings.nick and not self._is_renaming:
            self._renaming_until = self._clock.seconds() + NICK_TIMEOUT
            self._around.send(nick_presence(self.jid.with_resource(self.settings.nick)))

    @property
    def _is_renaming(self) -> bool:
        return bool(self._clock.seconds() < self._renaming_until)

    def _address(self) -> str | None:
        """Whom a self-ping asks."""
        return None if self._is_renaming else str(self.jid.with_resource(self.nick))

    def _got_self_ping(self, standing: Standing, said: str) -> None:
        if standing is Standing.OUTSIDE:
            self._may_be_inside = False
            self._become(State.ABSENT, f"the room does not know us any more ({said})")
            self.enter()
        elif standing is Standing.UNDECIDED:
            self._become(State.STALE, f"silent, and its service does not answer ({said})")
        elif self.state is State.STALE:
            self._revive("it answers again")

    def _revive(self, reason: str) -> None:
        self._become(State.JOINED, reason)
        self._around.joined(self)

    # Out of the room.

    def _got_removal(self, presence: RoomPresence) -> None:
        # Only a stay resets the delay: who is kicked at each return returns ever later.
        if self._clock.seconds() - self._joined_at >= STAY:
            self._backoff.reset()
        self._may_be_inside = False
        self._stay_out(removal(presence))

    def _stay_out(self, exclusion: Refusal) -> None:
        if exclusion.is_gone:
            self._become(State.REFUSED, exclusion.reason)
            self._around.refused(self)
        elif exclusion.is_final:
            delay = self._rare_backoff.next_delay()
            outlook = f"; next try in {delay / 60:.0f} min"
            self._become(State.REFUSED, exclusion.reason, outlook)
            self._alarm.set(delay, self.enter)
            self._around.refused(self)
        else:
            # An older session of ours may have taken us along as it ended (see Bounces).
            self._retry(exclusion.reason, at_once=exclusion.is_unexplained)

    def _retry(self, reason: str, *, at_once: bool = False) -> None:
        """Come back after a while, or, for the first time, ``at_once``."""
        at_once = at_once and not self._backoff.failures
        delay = self._backoff.next_delay()
        outlook = "at once" if at_once else f"in {delay:.0f} s"
        self._become(State.ABSENT, reason, f"; next try {outlook}")
        self._alarm.set(0.0 if at_once else delay, self.enter)

    def _say_goodbye(self) -> None:
        if not self._around.is_connected():
            self._alarm.set(0.0, self._say_goodbye)
            return
        self._around.send(leave_presence(self.jid.with_resource(self.nick)))
        self._alarm.set(LEAVE_TIMEOUT, self._got_out)

    def _got_out(self) -> None:
        self._may_be_inside = False
        returns, self._returns = self._returns, False
        self._become(State.ABSENT, "left")
        if returns:
            self.enter()
        else:
            self._around.left(self)

    def _become(self, state: State, reason: str, outlook: str = "") -> None:
        """Every transition passes here: nothing of the old state stays behind."""
        if state is not self.state:
            # What comes of a wish to join is told in any case.
            quiet = self._log.debug if state is State.JOINING else self._log.info
            log = self._log.warn if state is State.REFUSED else quiet
            log(
                "{room}: {state}: {reason}{outlook}",
                room=self.jid,
                state=state.value,
                reason=reason,
                outlook=outlook,
            )
            self.since = self._clock.seconds()
        stays_inside = state in _INSIDE and self.state in _INSIDE
        self.state = state
        self.reason = reason
        if stays_inside:
            return
        self._alarm.stop()
        self.caught_up = False
        if state not in _INSIDE:
            # Occupants who came before our self-presence belong to this join.
            self.occupants.clear()
            self._self_ping.stop()
        if state is not State.JOINING:
            self._around.turns.end(self, answered=state in _ANSWERS)
