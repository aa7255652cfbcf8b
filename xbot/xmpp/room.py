"""One room's life as an explicit machine, driven by presence and a clock (XEP-0045)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.words.xish import domish

from xbot.backoff import Backoff
from xbot.jid import Jid
from xbot.settings import RoomSettings
from xbot.xmpp import ns
from xbot.xmpp.occupants import MAX_OCCUPANTS, Occupant, RoomPresence

#: Seconds that a room has to answer our wish to join.
JOIN_TIMEOUT = 30.0

#: Seconds after the self-presence when a room that sends no subject counts as
#: caught up: the end of its history must not be waited for in vain.
SUBJECT_TIMEOUT = 5.0

FIRST_RETRY, LAST_RETRY = 2.0, 300.0

#: Seconds in the room after which a removal is a new one, not the last one again.
STAY = 60.0

#: How often a nick that is taken gets one more underscore before we wait.
MAX_NICKS = 5

#: XEP-0045 7.2.5 to 7.2.11: refusals that only a person can change.
_FINAL_ERRORS = {
    "forbidden": "we are banned",
    "registration-required": "it is for members only",
    "not-authorized": "it wants a password, and not this one",
    "not-allowed": "it does not exist, and we may not create it",
    "jid-malformed": "it takes no such nick",
    "gone": "it is gone",
}

#: XEP-0045 15.6.2: codes of a removal that only a person can undo.
_FINAL_CODES = {
    "301": "we were banned",
    "321": "we are no longer a member",
    "322": "it is now for members only",
}

_REMOVALS = {
    "307": "we were kicked",
    "332": "the room service shuts down",
    "333": "the service had a problem",
}


class State(Enum):
    """Where a room is; ``REFUSED`` is left only by a new session or a person."""

    ABSENT = "absent"
    JOINING = "joining"
    JOINED = "joined"
    REFUSED = "refused"


class Room:
    """One room that we want to be in.

    The owner tells what happens (:meth:`enter`, :meth:`got_presence`,
    :meth:`got_subject`, :meth:`session_lost`); presences to be sent go out by
    ``send``, and the room keeps its own time: whatever it waits for has an end.
    ``joined`` is called each time we are let in.

    ``caught_up`` is the heart: until the self-presence *and* the subject that
    ends the history (or :data:`SUBJECT_TIMEOUT` without one), all that is said
    here is the past.
    """

    _log = Logger("xbot.xmpp.rooms")

    def __init__(
        self,
        settings: RoomSettings,
        send: Callable[[domish.Element], None],
        clock: Any,
        uniform: Callable[[float, float], float],
        joined: Callable[[Room], None] = lambda room: None,
    ) -> None:
        self.settings = settings
        self.jid: Jid = settings.jid
        self.state = State.ABSENT
        self.reason = "not joined yet"
        self.nick = settings.nick
        self.caught_up = False
        self.occupants: dict[str, Occupant] = {}
        self._send = send
        self._joined = joined
        self._clock = clock
        self._backoff = Backoff(FIRST_RETRY, LAST_RETRY, uniform)
        self._nicks_tried = 0
        self._joined_at = 0.0
        self._timer: IDelayedCall | None = None
        self._waiting: list[Deferred[None]] = []

    # What the owner tells.

    def enter(self) -> None:
        """There is a session: be in the room."""
        self._nicks_tried = 0
        self._join(self.settings.nick)

    def session_lost(self) -> None:
        """The session ended, and every room with it."""
        self._become(State.ABSENT, "no connection")
        self._backoff.reset()

    def leave(self) -> None:
        """Leave for good."""
        if self.state in (State.JOINED, State.JOINING):
            self._send(self._presence("unavailable"))
        self._become(State.ABSENT, "left")

    def got_presence(self, presence: RoomPresence) -> None:
        """A presence came from the room, or from an occupant of it."""
        # Absent, with no next try ahead, is where nobody asked to be let in.
        if self.state is State.REFUSED or (self.state is State.ABSENT and self._timer is None):
            return
        if presence.error is not None:
            # An error about something else (a private message, say) is no presence.
            if self.state is State.JOINING:
                self._got_refusal(presence.error)
        elif presence.is_self:
            self._got_self(presence)
        elif presence.nick is None:
            if presence.destroyed and self.state is not State.ABSENT:
                self._got_removal(presence)
        elif presence.available:
            self._keep(presence.nick, presence.occupant)
        elif self._is_our_end(presence):
            # A service that forgets status 110 here must not leave us deaf.
            self._got_removal(presence)
        else:
            self._forget(presence)

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

    # What comes of it.

    def _join(self, nick: str) -> None:
        self._become(State.JOINING, "asked to be let in")
        self.nick = nick
        self._timer = self._clock.callLater(JOIN_TIMEOUT, self._timed_out)
        self._send(self._presence())

    def _got_self(self, presence: RoomPresence) -> None:
        if presence.available:
            # Status 210: the room may have given us another nick than we asked for.
            if presence.nick is not None:
                self.nick = presence.nick
                self._keep(presence.nick, presence.occupant)
            # Late ones count too: we asked, and the room says that we are in.
            if self.state is not State.JOINED:
                self._become(State.JOINED, f"as {self.nick!r}")
                self._joined_at = self._clock.seconds()
                if "201" in presence.codes:
                    self._send(self._default_configuration())
                self._timer = self._clock.callLater(SUBJECT_TIMEOUT, self._catch_up)
                self._joined(self)
        elif "303" in presence.codes:
            # XEP-0045 7.6: our old nick goes; the new one follows in a presence of its own.
            self.occupants.pop(presence.nick or "", None)
        elif self.state is State.JOINED:
            self._got_removal(presence)

    def _is_our_end(self, presence: RoomPresence) -> bool:
        """Whether our own nick is gone, and not to be replaced (303) by another of ours."""
        return (
            self.state is State.JOINED
            and presence.nick == self.nick
            and "303" not in presence.codes
        )

    def _got_refusal(self, condition: str) -> None:
        if condition == "conflict" and self._nicks_tried + 1 < MAX_NICKS:
            self._nicks_tried += 1
            self._join(self.settings.nick + "_" * self._nicks_tried)
        elif condition in _FINAL_ERRORS:
            self._become(State.REFUSED, _FINAL_ERRORS[condition])
        else:
            self._retry(f"refused: {condition}")

    def _got_removal(self, presence: RoomPresence) -> None:
        # Only a stay resets the delay: who is kicked at each return returns ever later.
        if self._clock.seconds() - self._joined_at >= STAY:
            self._backoff.reset()
        said = f" ({presence.reason})" if presence.reason else ""
        if presence.destroyed:
            where = f"; it moved to {presence.alternative}" if presence.alternative else ""
            self._become(State.REFUSED, f"the room was destroyed{where}{said}")
            return
        for code in sorted(presence.codes):
            if code in _FINAL_CODES:
                self._become(State.REFUSED, _FINAL_CODES[code] + said)
                return
        known = [_REMOVALS[code] for code in sorted(presence.codes) if code in _REMOVALS]
        self._retry((known[0] if known else "we were removed") + said)

    def _timed_out(self) -> None:
        self._timer = None
        self._retry(f"no answer within {JOIN_TIMEOUT:g} s")

    def _retry(self, reason: str) -> None:
        delay = self._backoff.next_delay()
        self._become(State.ABSENT, f"{reason}; next try in {delay:.0f} s")
        self._timer = self._clock.callLater(delay, self.enter)

    def _catch_up(self) -> None:
        self._stop_timer()
        self.caught_up = True
        self._log.debug("{room}: caught up, listening", room=str(self.jid))
        waiting, self._waiting = self._waiting, []
        for listening in waiting:
            listening.callback(None)

    def _become(self, state: State, reason: str) -> None:
        """Every transition passes here: nothing of the old state stays behind."""
        self._stop_timer()
        if state is not self.state or state is State.REFUSED:
            log = self._log.warn if state is State.REFUSED else self._log.info
            log("{room}: {state}: {reason}", room=str(self.jid), state=state.value, reason=reason)
        self.caught_up = False
        if state is not State.JOINED:
            # Occupants who came before our self-presence belong to this join.
            self.occupants.clear()
        self.state = state
        self.reason = reason

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    # Who is there.

    def _keep(self, nick: str, occupant: Occupant) -> None:
        if nick in self.occupants or len(self.occupants) < MAX_OCCUPANTS:
            self.occupants[nick] = occupant

    def _forget(self, presence: RoomPresence) -> None:
        if presence.nick is not None:
            self.occupants.pop(presence.nick, None)

    def real_jid(self, nick: str | None) -> Jid | None:
        """The real bare JID behind a nick, where the room shows it to us."""
        occupant = self.occupants.get(nick) if nick is not None else None
        return occupant.jid if occupant is not None else None

    def _presence(self, kind: str | None = None) -> domish.Element:
        presence = domish.Element((ns.CLIENT, "presence"))
        presence["to"] = str(self.jid.with_resource(self.nick))
        if kind is not None:
            presence["type"] = kind
            return presence
        x = presence.addElement((ns.MUC, "x"))
        if self.settings.password is not None:
            x.addElement("password", content=self.settings.password.reveal())
        # XEP-0045 7.2.14: no history; older services know maxchars better.
        history = x.addElement("history")
        history["maxchars"] = "0"
        history["maxstanzas"] = "0"
        return presence

    def _default_configuration(self) -> domish.Element:
        """XEP-0045 10.1.2: a room that we made stays locked until we accept its defaults."""
        iq = domish.Element((ns.CLIENT, "iq"))
        iq["type"] = "set"
        iq["to"] = str(self.jid)
        # Nobody waits for the answer: what it changes is told by presence.
        iq["id"] = secrets.token_urlsafe(9)
        form = iq.addElement((ns.MUC_OWNER, "query")).addElement((ns.DATA_FORM, "x"))
        form["type"] = "submit"
        return iq
