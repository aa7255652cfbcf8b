"""XMPP as an adapter: the parts put together, messages in and out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.words.protocols.jabber.xmlstream import STREAM_AUTHD_EVENT
from twisted.words.xish import domish
from zope.interface import implementer

from xbot.errors import InvalidJid, NotConnected
from xbot.interfaces import IAdapter
from xbot.jid import Jid
from xbot.message import Message
from xbot.settings import RoomSettings, XmppSettings
from xbot.xmpp import ns
from xbot.xmpp.connection import Connection
from xbot.xmpp.handlers import Handlers
from xbot.xmpp.iq import Iq
from xbot.xmpp.login import Account, Login
from xbot.xmpp.messages import Messages
from xbot.xmpp.ping import Ping
from xbot.xmpp.problems import ConnectionProblem
from xbot.xmpp.room import State
from xbot.xmpp.rooms import Rooms
from xbot.xmpp.sasl import InThread
from xbot.xmpp.session import Session
from xbot.xmpp.stanza import message_element
from xbot.xmpp.stream import Stream, StreamFactory


@implementer(IAdapter)
class XmppAdapter:
    """One XMPP account in its rooms.

    Messages go to ``got_message``; ``gave_up(problem)`` tells that only a
    person can help. ``dropped`` counts the stanzas that were no message, by
    reason. ``clock`` and ``uniform`` are time and chance; ``in_thread`` runs
    what would hold the reactor.
    """

    name = "xmpp"

    def __init__(
        self,
        settings: XmppSettings,
        account: Account,
        endpoint: Any,
        rooms: tuple[RoomSettings, ...],
        got_message: Callable[[Message], None],
        gave_up: Callable[[ConnectionProblem], None],
        *,
        clock: Any,
        uniform: Callable[[float, float], float],
        in_thread: InThread,
    ) -> None:
        self._log = Logger("xbot.xmpp")
        self.jid: Jid | None = None
        factory = StreamFactory(lambda: Login(account, clock, in_thread), account.jid.domain, clock)
        factory.addBootstrap(STREAM_AUTHD_EVENT, self._got_session)
        # Before the connection, which tells the end to those outside: by then
        # every handler has stopped its timers.
        self._handlers = Handlers(factory, clock)
        self.connection = Connection(endpoint, factory, clock, uniform, gave_up)
        self.iq = Iq(lambda: self.jid, clock)
        self.rooms = Rooms(rooms, clock, uniform)
        self.ping = Ping(
            self.iq,
            account.jid.domain,
            clock,
            interval=settings.ping_interval,
            timeout=settings.ping_timeout,
        )
        messages = Messages(lambda: self.jid, account.jid.bare, self.rooms, got_message)
        self.dropped = messages.dropped
        # In this order a new session begins; who asks comes after who listens.
        for handler in (self.iq, messages, Session(self.iq), self.ping, self.rooms):
            handler.setHandlerParent(self._handlers)

    def start(self) -> None:
        """Connect, and stay connected until :meth:`stop`."""
        self.connection.start()

    def stop(self) -> Deferred[None]:
        """Say goodbye and disconnect; fires when nothing is left running."""
        if self.connection.stream is not None:
            goodbye = domish.Element((ns.CLIENT, "presence"))
            goodbye["type"] = "unavailable"
            self.connection.stream.send(goodbye)
        return self.connection.stop()

    def send(self, message: Message) -> None:
        """Send ``message`` now.

        :raises NotConnected: when there is no session, or we are not in the room.
        """
        try:
            recipient = Jid.parse(message.recipient)
        except InvalidJid as invalid:
            raise NotConnected(message.recipient, invalid.reason) from invalid
        room = self.rooms.get(recipient.bare)
        if room is not None and room.state is not State.JOINED:
            raise NotConnected(recipient, f"not in the room ({room.reason})")
        self._handlers.send(message_element(message))

    def nick_in(self, room: str) -> str | None:
        """Our nick in ``room`` (a bare JID), or None when we are not in it."""
        known = self.rooms.get(Jid.parse(room))
        return known.nick if known is not None and known.state is State.JOINED else None

    def join(self, room: object) -> None:
        """Be in one more room, from now on."""
        assert isinstance(room, RoomSettings)
        self.rooms.join(room)

    def leave(self, room: str) -> None:
        """Leave ``room`` (a bare JID) and do not come back."""
        self.rooms.leave(Jid.parse(room))

    def _got_session(self, stream: Stream) -> None:
        self.jid = stream.authenticator.jid
        self._log.info("logged in as {jid}", jid=str(self.jid))
