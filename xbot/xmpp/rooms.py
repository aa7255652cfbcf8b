"""All rooms on one session: who is told of which presence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.xish import domish

from xbot.errors import InvalidJid, NotConnected
from xbot.jid import Jid
from xbot.settings import RoomSettings
from xbot.xmpp.handlers import Handler
from xbot.xmpp.occupants import read_presence
from xbot.xmpp.room import Room


class Rooms(Handler):
    """The rooms that we want to be in, by bare JID, in the ini's order."""

    _log = Logger("xbot.xmpp.rooms")

    def __init__(
        self,
        rooms: Iterable[RoomSettings],
        clock: Any,
        uniform: Callable[[float, float], float],
        joined: Callable[[Room], None] = lambda room: None,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._uniform = uniform
        self._joined = joined
        self._rooms: dict[Jid, Room] = {}
        for settings in rooms:
            self._add(settings)

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms.values())

    def get(self, jid: Jid) -> Room | None:
        """The room with this bare JID, if we want to be in it."""
        return self._rooms.get(jid)

    def join(self, settings: RoomSettings) -> None:
        """Be in one more room, from now on."""
        if settings.jid in self._rooms:
            self.leave(settings.jid)
        room = self._add(settings)
        if self.xmlstream is not None and not self.xmlstream.negotiating:
            room.enter()

    def leave(self, jid: Jid) -> None:
        """Leave a room for good; none of that name is no matter."""
        room = self._rooms.pop(jid, None)
        if room is not None:
            room.leave()

    def observe(self) -> None:
        self.xmlstream.addObserver("/presence", self.got_presence)

    def connectionInitialized(self) -> None:
        for room in self._rooms.values():
            room.enter()

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        for room in self._rooms.values():
            room.session_lost()

    def got_presence(self, stanza: domish.Element) -> None:
        """A presence arrived, from a room or from anyone else."""
        try:
            sender = Jid.parse(stanza.getAttribute("from", ""))
        except InvalidJid as invalid:
            self._log.debug("dropped a presence: {reason}", reason=invalid.reason)
            return
        room = self._rooms.get(sender.bare)
        if room is None:
            return
        presence = read_presence(stanza, sender.resource)
        if presence is not None:
            room.got_presence(presence)

    def _add(self, settings: RoomSettings) -> Room:
        room = Room(settings, self._send_if_connected, self._clock, self._uniform, self._joined)
        self._rooms[settings.jid] = room
        return room

    def _send_if_connected(self, stanza: domish.Element) -> None:
        try:
            self.send(stanza)
        except NotConnected:
            # The end of the session, which takes the rooms with it, is on its way.
            self._log.debug("a presence was not sent: the connection is closing")
