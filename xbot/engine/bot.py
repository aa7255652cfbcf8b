"""IBot: what responders can ask of the bot itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Sequence
from typing import Any

from attrs import evolve
from zope.interface import implementer

from xbot.chat.interfaces import IAdapter
from xbot.config.settings import RoomSettings
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.model.errors import InvalidJid, TooManyRooms
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.model.status import Overview
from xbot.model.usage import Usage
from xbot.runtime.failures import Failed
from xbot.runtime.interfaces import IBot


@implementer(IBot)
class EngineBot:
    """The engine's implementation of :class:`~xbot.runtime.interfaces.IBot`.

    Callables give what changes while the bot runs: ``named`` the rooms of the ini,
    by bare address, and ``nick`` the default nick. ``address`` is the bot's JID. The
    verbs are told in :class:`xbot.api.bot.BotProxy`.
    """

    def __init__(
        self,
        clock: Any,
        *,
        address: str,
        adapter: Callable[[], IAdapter],
        dispatcher: Callable[[], Dispatcher],
        overview: Callable[[], Overview],
        named: Callable[[], Container[str]],
        nick: Callable[[], str],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._address = address
        self._adapter = adapter
        self._dispatcher = dispatcher
        self._named = named
        self._nick = nick
        self._since: float = clock.seconds()
        self.overview = overview
        self.now = wall_clock

    def uptime(self) -> float:
        now: float = self._clock.seconds()
        return max(0.0, now - self._since)

    def join(self, room: str, nick: str | None, by: str) -> None:
        jid = _room(room)
        if str(jid) in self._named():
            raise Failed(f"{jid} stands in my ini; that says what I do there.")
        try:
            wish = nick or self._nick()
            jid.with_resource(wish)
            self._adapter().join(RoomSettings(jid, wish), by)
        except InvalidJid as error:
            raise Failed(f"{nick!r} is no nick: {error.reason}.") from error
        except TooManyRooms as error:
            raise Failed(f"{error}; have me leave one first.") from error

    def leave(self, room: str) -> None:
        jid = _room(room)
        if str(jid) in self._named():
            raise Failed(f"{jid} stands in my ini: take it out there and reload.")
        if str(jid) not in {place.jid for place in self.overview().rooms}:
            raise Failed(f"I am not in {jid}.")
        self._adapter().leave(str(jid))

    def usages(self, message: Message) -> Sequence[Usage]:
        dispatcher = self._dispatcher()
        return [
            Usage(responder.name, route.usage, route.help, route.kind == "hear")
            for responder in dispatcher.responders
            if dispatcher.answers_at(responder, message) and responder.access.allows(message)
            for route in responder.routes
            if route.usage
        ]

    def addressed(self, text: str, room: str | None) -> str | None:
        # A direct message always addresses the bot; this checks for the name all the same.
        kind = {"type": "groupchat"}
        return self._dispatcher().addressed(Message("", self._address, text, kind, room=room))

    def allows(self, responder: str, person: str, room: str | None) -> bool:
        dispatcher, message = self._dispatcher(), self._said_by(person, "", room)
        return any(
            each.name == responder
            and dispatcher.answers_at(each, message)
            and each.access.allows(message)
            for each in dispatcher.responders
        )

    def obey(self, message: Message, text: str, authors: Sequence[str | None] = ()) -> None:
        others = tuple(
            self._said_by(author, text, message.room) if author is not None else None
            for author in authors
            if author is None or author != message.identity
        )
        if others:
            message = evolve(message, authors=message.authors + others)
        self._dispatcher().obey(message, text)

    def obey_as(self, person: str, text: str, room: str | None, key: str) -> None:
        said = self._said_by(person, text, room, key)
        self._dispatcher().obey(said, text)

    def _said_by(self, person: str, text: str, room: str | None, key: str | None = None) -> Message:
        """A message from the person's occupant if they are in the room, else from the person.

        A person who is not in the room has no nick and no affiliation there.
        """
        if room is None:
            kind = {"type": "chat"}
            return Message(person, self._address, text, kind, identity=person, key=key)
        nick, affiliation = self._adapter().occupant(room, person) or (None, "none")
        said = Message(
            f"{room}/{nick}" if nick else person,
            self._address,
            text,
            {"type": "groupchat"},
            room=room,
            nick=nick,
            identity=person,
            affiliation=affiliation,
            key=key,
        )
        # The room may have banned a person who is not there.
        return said if nick else evolve(said, affiliation=self._adapter().affiliation(said))


def _room(text: str) -> Jid:
    try:
        jid = Jid.parse(text)
    except InvalidJid as error:
        raise Failed(f"{text!r} is no room: {error.reason}.") from error
    if jid.local is None or jid.resource is not None:
        raise Failed(f"{text!r} is no room: a room's address is ROOM@SERVICE.")
    return jid
