"""State machine of one room, driven by presence and a clock (XEP-0045)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.words.xish import domish

from xbot.chat.backoff import Backoff
from xbot.chat.xmpp.rooms.join_queue import JoinQueue
from xbot.chat.xmpp.rooms.occupant_ids import Check
from xbot.chat.xmpp.rooms.refusals import Refusal, refusal, removal
from xbot.chat.xmpp.rooms.requests import (
    default_configuration,
    join_presence,
    leave_presence,
    nick_presence,
)
from xbot.chat.xmpp.rooms.self_ping import Ask, SelfPing, Standing
from xbot.chat.xmpp.rooms.unconfirmed import Unconfirmed
from xbot.chat.xmpp.rooms.voice import Voice
from xbot.chat.xmpp.stanzas.occupants import Occupants
from xbot.chat.xmpp.stanzas.presence import RoomPresence
from xbot.chat.xmpp.stanzas.stanza import StanzaError
from xbot.chat.xmpp.stanzas.status_codes import REALJID_PUBLIC, ROOM_CREATED
from xbot.chat.xmpp.stream.stream_timer import StreamTimer
from xbot.config.settings import RoomSettings
from xbot.model.errors import InvalidJid
from xbot.model.jid import Jid
from xbot.text.durations import shown

#: Join time-outs in seconds: maximum silence, and maximum total time while the room
#: sends its occupants.
JOIN_TIMEOUT, JOIN_LONGEST = 30.0, 300.0

#: Seconds after the self-presence until a room counts as caught up without a subject.
SUBJECT_TIMEOUT = 5.0

#: Time-outs in seconds for the answers to leaving and to a change of nick.
LEAVE_TIMEOUT = NICK_TIMEOUT = 10.0

#: Back-off between join attempts: first and maximum delay, in seconds.
FIRST_RETRY, LAST_RETRY = 2.0, 300.0

#: The same after a refusal that only a person can change, and may not tell us of.
FIRST_RARE_RETRY, LAST_RARE_RETRY = 900.0, 4 * 3600.0

#: Seconds in the room after which a removal resets the back-off.
STAY = 60.0

#: Maximum number of nicks to try, each with one more underscore, before the back-off.
MAX_NICKS = 5


class State(Enum):
    """State of a room; a new session, a person, or a rare retry ends ``REFUSED``."""

    ABSENT = "absent"
    JOINING = "joining"
    JOINED = "joined"
    STALE = "stale"
    LEAVING = "leaving"
    REFUSED = "refused"


#: States in which we are inside, as far as we know.
_INSIDE = (State.JOINED, State.STALE)

#: States that show that the room answered our join with yes or no.
_ANSWERS = (*_INSIDE, State.REFUSED)


class Status(NamedTuple):
    """Snapshot of the room's state; times are the clock's seconds."""

    state: State
    since: float
    reason: str
    next_try: float | None = None


class RoomEnvironment(NamedTuple):
    """Dependencies of a room.

    ``send`` drops stanzas that cannot be sent now, ``ping`` pings an occupant, and
    ``join_queue`` is that of the room's service. ``joined(room)`` is called each
    time we can speak in the room, ``refused(room)`` when it has refused us for good, and
    ``left(room)`` when we have left on purpose. ``numbers`` are given to its occupants.
    While ``is_stale()``, recent stanzas are not read yet, so that silence means nothing.
    ``announces_ids(room)`` asks whether that room announces occupant ids (XEP-0421); None: there
    was no answer. ``ask_features`` sends a disco#info request to an address, and
    ``got_voice(room)`` is called when we may not speak there any more, or may again.
    """

    send: Callable[[domish.Element], None]
    ping: Ask
    clock: Any
    uniform: Callable[[float, float], float]
    join_queue: JoinQueue
    is_connected: Callable[[], bool] = lambda: True
    ping_interval: Callable[[], float] = lambda: 300.0
    joined: Callable[[Room], None] = lambda room: None
    left: Callable[[Room], None] = lambda room: None
    is_stale: Callable[[], bool] = lambda: False
    refused: Callable[[Room], None] = lambda room: None
    numbers: Iterator[int] | None = None
    announces_ids: Callable[[Jid], Deferred[bool | None]] = lambda room: succeed(False)
    ask_features: Ask = lambda address: Deferred()
    got_voice: Callable[[Room], None] = lambda room: None

    def hears(self) -> bool:
        """Whether we are connected, and what we read is fresh."""
        return self.is_connected() and not self.is_stale()


class Room:
    """One room that we want to be in.

    The owner reports events; the room sets its own timers, and each wait has a
    time-out. :attr:`status` says in which state it is, and why.

    The central fact is ``caught_up``: messages before the self-presence *and* the
    subject (or :data:`SUBJECT_TIMEOUT` without a subject) are history, and are not obeyed.
    Until then, messages of ours that may have arrived are sought in it (``unconfirmed``), and
    we do not speak.
    """

    _log = Logger("xbot.chat.xmpp.rooms")

    def __init__(self, settings: RoomSettings, environment: RoomEnvironment) -> None:
        self.settings = settings
        self.jid: Jid = settings.jid
        #: The JID as text, as in the messages from this room.
        self.address = str(settings.jid)
        self.state = State.ABSENT
        self.reason = "not joined yet"
        self.since: float = environment.clock.seconds()
        self.nick = settings.nick
        self.caught_up = False
        self.occupants = Occupants(environment.numbers)
        self.unconfirmed = Unconfirmed()
        self.voice = Voice(
            self.jid,
            lambda: environment.ask_features(self.address),
            lambda: environment.got_voice(self),
        )
        self._environment = environment
        self._clock = environment.clock
        self._timer = StreamTimer(environment.clock, environment.hears)
        self._self_ping = SelfPing(
            environment.ping,
            self._address,
            self._got_self_ping,
            environment.clock,
            StreamTimer(environment.clock, environment.hears),
            environment.uniform,
            environment.ping_interval,
        )
        self._id_check = Check(
            lambda: environment.announces_ids(self.jid),
            self._got_id_check,
            StreamTimer(environment.clock, environment.hears),
        )
        self._backoff = Backoff(FIRST_RETRY, LAST_RETRY, environment.uniform)
        self._rare_backoff = Backoff(FIRST_RARE_RETRY, LAST_RARE_RETRY, environment.uniform)
        self._nicks_tried = 0
        # Their number when they were last told, also by a join that did not end well.
        self._known_occupants: int | None = None
        # Whether the room may have us as an occupant: we asked to join, and it neither
        # refused nor removed us.
        self._may_be_inside = False
        self._returns = False
        self._asked_at = self._joined_at = self.since
        self._renaming_until = self.since
        self._waiting: list[Deferred[None]] = []

    @property
    def status(self) -> Status:
        """State, since when, reason, and the time of the next attempt."""
        due = {
            State.ABSENT: self._timer.at,
            State.REFUSED: self._timer.at,
            State.STALE: self._self_ping.next_try,
        }
        return Status(self.state, self.since, self.reason, due.get(self.state))

    # Events from the owner.

    def enter(self) -> None:
        """Queue the join; needs a session."""
        if self.state not in (State.ABSENT, State.REFUSED):
            return
        self._become(State.ABSENT, "waits for its turn")
        self._environment.join_queue.ask(self, self._begin, self._known_occupants)

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
            # The room tells us of one occupant, ourselves.
            self._environment.join_queue.ask(self, self._say_goodbye, occupants=1)
        else:
            self._got_out()

    def change(self, settings: RoomSettings) -> None:
        """Apply new settings; needs a session."""
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
        elif not self._environment.join_queue.is_waiting(self):
            self.enter()

    def session_lost(self) -> None:
        """The session ended; we are in no room any more."""
        was_leaving = self.state is State.LEAVING and not self._returns
        self._may_be_inside = self._returns = False
        self._become(State.ABSENT, "left" if was_leaving else "no connection")
        self._backoff.reset()
        self._rare_backoff.reset()
        if was_leaving:
            self._environment.left(self)

    def resumed(self) -> None:
        """The session was resumed on another stream."""
        self._timer.resumed()
        self._self_ping.resumed()
        self._id_check.resumed()

    def heard(self) -> None:
        """A stanza came from the room, so we are an occupant."""
        self._self_ping.heard()
        if self.state is State.STALE:
            self._revive("it speaks again")

    def got_bounce(self) -> None:
        """A message of ours bounced: check that we are still in the room."""
        if self.state in _INSIDE:
            self._self_ping.doubt()

    def got_presence(self, presence: RoomPresence) -> None:
        """Handle a presence from the room or one of its occupants."""
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
            # Before we are inside, the room tells who is there already.
            entered = self._clock.seconds() if self.state in _INSIDE else None
            self.occupants.keep(presence.nick, presence.occupant, entered)
            if presence.nick == self.nick and self.state in _INSIDE:
                # Also from a service that forgets status 110.
                self.voice.got_role(presence.occupant.role)
        elif presence.nick == self.nick and self.state in _INSIDE:
            # Our own presence, from a service that forgets status 110.
            self._got_our_end(presence)
        else:
            self._got_end(presence, presence.nick)

    def got_subject(self) -> None:
        """The subject came; after our self-presence it ends the history."""
        if self.state is State.JOINED and not self.caught_up:
            self._catch_up()

    def is_newcomer(self, nick: str) -> bool:
        """Whether this occupant entered a short while ago, or is not seen in the room."""
        return self.occupants.is_newcomer(nick, self._clock.seconds())

    def listening(self) -> Deferred[None]:
        """Fires once the room is joined and caught up."""
        if self.caught_up:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    # Joining.

    def _begin(self) -> None:
        if not self._environment.is_connected():
            self._timer.set(0.0, self._begin)
            return
        self._nicks_tried = 0
        self._join(self.jid.with_resource(self.settings.nick))

    def _join(self, address: Jid) -> None:
        assert address.resource is not None
        self._become(State.JOINING, f"asked to be let in as {address.resource!r}")
        self.nick = address.resource
        self._may_be_inside = True
        self._asked_at = self._clock.seconds()
        self._timer.set(JOIN_TIMEOUT, self._got_silence)
        history = self.unconfirmed.history
        self._environment.send(join_presence(address, self.settings.password, history))

    def _got_silence(self) -> None:
        # A large room needs time to send its occupants.
        last = max(self._asked_at, min(self._self_ping.heard_at, self._asked_at + JOIN_LONGEST))
        rest = last + JOIN_TIMEOUT - self._clock.seconds()
        if rest > 0:
            self._timer.set(rest, self._got_silence)
        else:
            self._retry(f"no answer within {JOIN_TIMEOUT:g} s")

    def _got_error(self, error: StanzaError) -> None:
        """Handle a presence of type error."""
        if self.state is State.JOINING:
            self._got_refusal(error)
        elif self.state is State.LEAVING:
            self._got_out()
        elif self._is_renaming:
            self._renaming_until = self._clock.seconds()
            self._log.info(
                "{room}: stays {nick!r}: {condition}",
                room=self.jid,
                nick=self.nick,
                condition=str(error),
            )

    def _got_refusal(self, error: StanzaError) -> None:
        # XEP-0045 7.2.8: the nick is taken.
        if error.condition == "conflict" and self._nicks_tried + 1 < MAX_NICKS:
            self._nicks_tried += 1
            try:
                nick = self.settings.nick + "_" * self._nicks_tried
                self._join(self.jid.with_resource(nick))
                return
            except InvalidJid:
                self._log.debug("{room}: no longer nick is possible", room=self.jid)
        self._may_be_inside = False
        self._stay_out(refusal(error))

    def _got_self(self, presence: RoomPresence) -> None:
        if not presence.available:
            if self.state in _INSIDE:
                self._got_our_end(presence)
            return
        self._renaming_until = self._clock.seconds()
        if presence.nick is not None:
            # XEP-0045 7.2.3, status 210: the room may have changed our nick.
            self._be_called(presence.nick)
            self.occupants.keep(presence.nick, presence.occupant)
        self._check_ids(presence.occupant.id)
        # Also after the join time-out: the room says that we are in.
        if self.state not in _INSIDE:
            self._let_in(presence)
        self.voice.got_role(presence.occupant.role)

    def _check_ids(self, own: str | None) -> None:
        """Find out whether occupant ids count; ``own`` is that of our self-presence."""
        # We send none, so a room that adds none to our own presence does not know of them.
        if own is None:
            self._id_check.stop()
            self.occupants.vouch(False)
        else:
            self._id_check.begin()

    def _got_id_check(self, announces: bool | None) -> None:
        self.occupants.vouch(announces)
        if announces is not None and self.state is State.JOINED:
            # Private answers may have waited for it.
            self._environment.joined(self)

    def _let_in(self, presence: RoomPresence) -> None:
        self._become(State.JOINED, f"as {self.nick!r}")
        self._joined_at = self._clock.seconds()
        self._rare_backoff.reset()
        if ROOM_CREATED in presence.codes:
            # Perhaps a typo in the ini, and the people are in another room.
            self._log.warn("{room} was not there; we made it", room=self.jid)
            self._environment.send(default_configuration(self.jid))
        elif REALJID_PUBLIC not in presence.codes and presence.occupant.role != "moderator":
            self._log.info(
                "{room} hides real addresses from us: an allow by address refuses everyone there;"
                " make the room non-anonymous, or us a moderator",
                room=self.jid,
            )
        self._timer.set(SUBJECT_TIMEOUT, self._catch_up)
        self._self_ping.start()
        if not self.unconfirmed.is_open:
            self._environment.joined(self)
        # The holder of our nick may have left while we joined with another nick.
        if self._nicks_tried and self.occupants.get(self.settings.nick) is None:
            self._ask_for_our_nick()

    def _catch_up(self) -> None:
        self._timer.stop()
        self.caught_up = True
        self._log.debug("{room}: caught up, listening", room=self.jid)
        if self.unconfirmed.is_open:
            self._end_search()
        waiting, self._waiting = self._waiting, []
        for listening in waiting:
            listening.callback(None)

    def _end_search(self) -> None:
        sought = len(self.unconfirmed)
        self.unconfirmed.end()
        found = len(self.unconfirmed)
        self._log.info(
            "{room}: of {sought} messages that a lost session left unconfirmed, {found} had"
            " arrived; the others are sent again",
            room=self.jid,
            sought=sought,
            found=found,
        )
        self._environment.joined(self)

    # Inside.

    def _got_end(self, presence: RoomPresence, nick: str) -> None:
        """Another occupant left, or changed the nick."""
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
        # XEP-0045 7.6: a second presence follows, with our new nick.
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
        """``text`` as a valid nick, or None."""
        try:
            return self.jid.with_resource(text).resource if text else None
        except InvalidJid:
            return None

    def _ask_for_our_nick(self) -> None:
        """Request the nick of the settings; if the room refuses it we keep the current one."""
        if self.state in _INSIDE and self.nick != self.settings.nick and not self._is_renaming:
            self._renaming_until = self._clock.seconds() + NICK_TIMEOUT
            self._environment.send(nick_presence(self.jid.with_resource(self.settings.nick)))

    @property
    def _is_renaming(self) -> bool:
        return bool(self._clock.seconds() < self._renaming_until)

    def _address(self) -> str | None:
        """Our occupant JID for the self-ping; None while the nick changes."""
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
        self._environment.joined(self)

    # Leaving.

    def _got_removal(self, presence: RoomPresence) -> None:
        # Only a longer stay resets the back-off: after repeated kicks we return ever later.
        if self._clock.seconds() - self._joined_at >= STAY:
            self._backoff.reset()
        self._may_be_inside = False
        self._stay_out(removal(presence))

    def _stay_out(self, exclusion: Refusal) -> None:
        if exclusion.is_gone:
            self._become(State.REFUSED, exclusion.reason)
            self._environment.refused(self)
        elif exclusion.is_final:
            delay = self._rare_backoff.next_delay()
            outlook = f"; next try in {shown(round(delay))}"
            self._become(State.REFUSED, exclusion.reason, outlook)
            self._timer.set(delay, self.enter)
            self._environment.refused(self)
        else:
            # The end of an older session of ours may have removed us, too (see Deliveries).
            self._retry(exclusion.reason, at_once=exclusion.is_unexplained)

    def _retry(self, reason: str, *, at_once: bool = False) -> None:
        """Join again after the back-off delay; the first time without delay if ``at_once``."""
        at_once = at_once and not self._backoff.failures
        delay = self._backoff.next_delay()
        outlook = "at once" if at_once else f"in {shown(round(delay))}"
        self._become(State.ABSENT, reason, f"; next try {outlook}")
        self._timer.set(0.0 if at_once else delay, self.enter)

    def _say_goodbye(self) -> None:
        if not self._environment.is_connected():
            self._timer.set(0.0, self._say_goodbye)
            return
        self._environment.send(leave_presence(self.jid.with_resource(self.nick)))
        self._timer.set(LEAVE_TIMEOUT, self._got_out)

    def _got_out(self) -> None:
        self._may_be_inside = False
        returns, self._returns = self._returns, False
        self._become(State.ABSENT, "left")
        if returns:
            self.enter()
        else:
            self._environment.left(self)

    def _become(self, state: State, reason: str, outlook: str = "") -> None:
        """Enter ``state``. All transitions go through here, so that old state is cleaned up."""
        if state is not self.state:
            # JOINING is not logged at "info": its result is.
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
        count = len(self.occupants)
        if count:
            self._known_occupants = count
        stays_inside = state in _INSIDE and self.state in _INSIDE
        self.state = state
        self.reason = reason
        if stays_inside:
            return
        self._timer.stop()
        self.caught_up = False
        if state not in _INSIDE:
            # Not cleared on JOINED: occupants sent before our self-presence belong to this join.
            self.occupants.clear()
            self.voice.reset()
            self._self_ping.stop()
            self._id_check.stop()
        if state is not State.JOINING:
            self._environment.join_queue.end(self, answered=state in _ANSWERS, occupants=count)
