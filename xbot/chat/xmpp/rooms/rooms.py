"""All rooms of one session: route presence and messages to them, and pace their joins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, count
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.xish import domish

from xbot.chat.xmpp.rooms.join_pace import JoinPace
from xbot.chat.xmpp.rooms.occupant_ids import Announcements
from xbot.chat.xmpp.rooms.room import Room, RoomEnvironment, State
from xbot.chat.xmpp.stanzas.addresses import read_occupant
from xbot.chat.xmpp.stanzas.fast_path_bytes import PlainPresence
from xbot.chat.xmpp.stanzas.presence import PRESENCE, read_presence, status_codes_of
from xbot.chat.xmpp.stanzas.status_codes import CONFIGURATION_CHANGED
from xbot.chat.xmpp.stream.handlers import Handler
from xbot.chat.xmpp.stream.iq import Iq
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.nodes import ATTRIBUTES, Node, node_of
from xbot.chat.xmpp.wire.serialize import Unserializable
from xbot.config.settings import RoomSettings
from xbot.model.errors import InvalidJid, NotConnected
from xbot.model.jid import Jid


class Rooms(Handler):
    """The rooms that we want to be in, by bare JID, in the ini's order.

    They are joined in that order, a few at a time: each service has its own
    ``JoinQueue``, so that a dead service does not delay the others, and ``JoinPace`` keeps
    the server's input free, for which it pings it by ``ping_server``. ``dropped`` counts
    presences with an invalid sender. ``joined(room)`` is called when we can speak in a
    room, ``lost(room)`` when a room refused us for good, or we left it, ``got_voice(room)``
    when we may not speak there any more, or may again. While
    ``is_stale()``, recent stanzas are not read yet, and no time-out of a room ends
    before :meth:`got_fresh`.
    """

    _log = Logger("xbot.chat.xmpp.rooms")

    def __init__(
        self,
        rooms: Iterable[RoomSettings],
        iq: Iq,
        clock: Any,
        uniform: Callable[[float, float], float],
        joined: Callable[[Room], None] = lambda room: None,
        ping_interval: float = 300.0,
        is_stale: Callable[[], bool] = lambda: False,
        lost: Callable[[Room], None] = lambda room: None,
        numbers: Iterator[int] | None = None,
        got_voice: Callable[[Room], None] = lambda room: None,
        ping_server: Callable[[], Deferred[Any]] = lambda: succeed(None),
    ) -> None:
        super().__init__()
        # One counter for all rooms: one that is left and entered anew gives no old number
        # to another person.
        self._numbers = count(1) if numbers is None else numbers
        self._is_stale = is_stale
        self._iq = iq
        self._announcements = Announcements(iq.request)
        self._clock = clock
        self._uniform = uniform
        self._joined = joined
        self._got_voice = got_voice
        self._lost = lost
        self.ping_interval = ping_interval
        self.dropped = 0
        self._in_session = False
        # By the text of the bare JID, for a fast look-up from each stanza.
        self._rooms: dict[str, Room] = {}
        self._leaving: dict[str, Room] = {}
        self._pace = JoinPace(ping_server, clock, self._is_connected)
        for settings in rooms:
            self._add(settings)

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms.values())

    def get(self, jid: Jid) -> Room | None:
        """The room with this bare JID, if we want to be in it."""
        return self._rooms.get(str(jid))

    def at(self, bare: str) -> Room | None:
        """The room with this bare JID as text, including a room that we are leaving."""
        return self._rooms.get(bare) or self._leaving.get(bare)

    def join(self, settings: RoomSettings) -> None:
        """Join one more room, or apply new settings to a known one."""
        text = str(settings.jid)
        room = self._rooms.get(text)
        if room is None and (room := self._leaving.pop(text, None)) is not None:
            self._rooms[text] = room
        if room is None:
            room = self._add(settings)
        elif not self._in_session:
            room.settings = settings
        else:
            room.change(settings)
            return
        if self._in_session:
            room.enter()

    def leave(self, jid: Jid) -> None:
        """Leave a room for good; does nothing for an unknown room."""
        text = str(jid)
        room = self._rooms.pop(text, None)
        if room is not None:
            self._leaving[text] = room
            room.leave()

    def observe(self) -> None:
        self.watch("presence", self.got_presence)
        self.xmlstream.shortcuts[PRESENCE] = self.take
        self.xmlstream.plain_shortcuts[PlainPresence] = self.take_plain
        self.xmlstream.lost_presence = self._got_lost_presence
        # Before the handlers of messages: each message is a sign of life of its room.
        self.watch("message", self.got_message, priority=1)
        if self.xmlstream.is_resumed:
            self.got_fresh()
            self._pace.resumed()

    def connectionInitialized(self) -> None:
        self._in_session = True
        for room in list(self._rooms.values()):
            room.enter()

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self._in_session = False
        self._announcements.forget()
        self._pace.clear()
        for room in list(self._all()):
            room.session_lost()

    def got_fresh(self) -> None:
        """What is read from now on is fresh: restart the time-outs that ran out meanwhile."""
        for room in list(self._all()):
            room.resumed()

    def retry_refused(self, why: str) -> None:
        """Ask the rooms that refused us once more; after the resumption, if it waits for one."""
        for room in list(self._rooms.values()):
            room.ask_again(why)

    # The fast path of available occupants (xbot.chat.xmpp.stream.stream.Shortcut).

    def take(self, node: Node) -> bool:
        """Handle the available presence of an occupant in one of our rooms; False for others."""
        attributes = node[ATTRIBUTES]
        if "type" in attributes:
            return False
        try:
            bare, nick = read_occupant(attributes.get("from", ""))
        except InvalidJid:
            return False
        room = self.at(bare)
        # Other handlers act on what comes from a room that refused us.
        if room is None or nick is None or room.state is State.REFUSED:
            return False
        self._got_node(room, nick, node)
        return True

    def take_plain(self, plain: PlainPresence) -> bool:
        """Handle such a presence that the fast path on bytes has read."""
        room = self.at(plain.room)
        if room is None or room.state is State.REFUSED:
            return False
        try:
            room.got_presence(plain.presence)
        except Exception:
            self.got_lost(plain.room, plain.presence.nick)
            raise
        return True

    # The slow path, for all other stanzas.

    def got_presence(self, stanza: domish.Element) -> None:
        """Handle a presence from any sender."""
        try:
            bare, nick = read_occupant(stanza.getAttribute("from", ""))
        except InvalidJid:
            self.dropped += 1
            return
        room = self.at(bare)
        if room is not None:
            self._got_node(room, nick, node_of(stanza))

    def _got_node(self, room: Room, nick: str | None, node: Node) -> None:
        try:
            presence = read_presence(node, nick)
            if presence is not None:
                room.got_presence(presence)
        except Exception:
            self.got_lost(str(room.jid), nick)
            raise

    def got_lost(self, bare: str, nick: str | None) -> None:
        """Forget the occupant, because one of their presences could not be read.

        It may have said that they left, or lost an affiliation: without identity, no rights.
        """
        room = self.at(bare)
        if room is not None and nick is not None:
            room.occupants.forget(nick)

    def _got_lost_presence(self, sender: str) -> None:
        with suppress(InvalidJid):
            self.got_lost(*read_occupant(sender))

    def got_message(self, stanza: domish.Element) -> None:
        """Handle a message from any sender."""
        try:
            bare, nick = read_occupant(stanza.getAttribute("from", ""))
        except InvalidJid:
            return
        room = self.at(bare)
        if room is None:
            return
        if stanza.getAttribute("type") != "error":
            room.heard()
            if nick is None and CONFIGURATION_CHANGED in status_codes_of(node_of(stanza)):
                # The room may be moderated now, or not any more.
                room.voice.ask()
        elif nick is None:
            # XEP-0045 7.4: the room does not relay our message (see Deliveries).
            room.got_bounce()

    def _all(self) -> Iterator[Room]:
        return chain(self._rooms.values(), self._leaving.values())

    def _add(self, settings: RoomSettings) -> Room:
        environment = RoomEnvironment(
            self._send_if_connected,
            self._ping,
            self._clock,
            self._uniform,
            self._pace.queue(settings.jid.domain),
            self._is_connected,
            lambda: self.ping_interval,
            self._joined,
            self._left,
            self._is_stale,
            self._lost,
            self._numbers,
            self._announcements.has,
            self._ask_features,
            self._got_voice,
        )
        room = self._rooms[str(settings.jid)] = Room(settings, environment)
        return room

    def _left(self, room: Room) -> None:
        self._leaving.pop(str(room.jid), None)
        self._lost(room)

    def _ping(self, address: str) -> Deferred[Any]:
        return self._iq.request("get", address, domish.Element((ns.PING, "ping")))

    def _ask_features(self, address: str) -> Deferred[Any]:
        return self._iq.request("get", address, domish.Element((ns.DISCO_INFO, "query")))

    def _is_connected(self) -> bool:
        # None while the session waits to be resumed.
        return self.xmlstream is not None

    def _send_if_connected(self, stanza: domish.Element) -> None:
        try:
            self.send(stanza)
        except NotConnected:
            # The end of the session follows, and ends all rooms.
            self._log.debug("a presence was not sent: the connection is closing")
        except Unserializable as wrong:
            # For example a very long password in the ini. The join then runs into its time-out.
            self._log.error("a presence was not sent: {reason}", reason=str(wrong))
