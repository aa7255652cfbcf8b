"""XMPP as an adapter: the parts put together, messages in and out."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.words.protocols.jabber.xmlstream import STREAM_AUTHD_EVENT
from twisted.words.xish import domish
from twisted.words.xish.xmlstream import STREAM_CONNECTED_EVENT, STREAM_END_EVENT
from zope.interface import implementer

from xbot.chat.interfaces import IAdapter, IReceipts
from xbot.chat.xmpp.messages import GotMessage, Ignores, Messages
from xbot.chat.xmpp.ping import Ping
from xbot.chat.xmpp.rooms.bounces import Bounces
from xbot.chat.xmpp.rooms.invitations import Invitations
from xbot.chat.xmpp.rooms.invited_rooms import InvitedRooms
from xbot.chat.xmpp.rooms.room import State
from xbot.chat.xmpp.rooms.rooms import Rooms
from xbot.chat.xmpp.roster import Session
from xbot.chat.xmpp.security.sasl import InThread
from xbot.chat.xmpp.stanzas.addresses import read_address
from xbot.chat.xmpp.stanzas.size_limit import SAFE, usual
from xbot.chat.xmpp.stream.connection import Connection
from xbot.chat.xmpp.stream.freshness import Freshness
from xbot.chat.xmpp.stream.handlers import Handlers
from xbot.chat.xmpp.stream.iq import Iq
from xbot.chat.xmpp.stream.login import Account, Login
from xbot.chat.xmpp.stream.redirect import RedirectableEndpoint
from xbot.chat.xmpp.stream.stream import WRITABLE_EVENT, Stream, StreamFactory
from xbot.chat.xmpp.stream.stream_management import StreamManagement
from xbot.chat.xmpp.subscriptions import Subscriptions
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.errors import ConnectionProblem
from xbot.chat.xmpp.wire.wire_log import WireLog
from xbot.config.settings import RoomSettings, XmppSettings
from xbot.model.errors import NotConnected, Unreachable
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.model.size_limit import Measure
from xbot.process.suspend_detection import Heartbeat
from xbot.process.uptime import elapsed_clock


@implementer(IAdapter)
class XmppAdapter:
    """One XMPP account in its rooms.

    Messages go to ``got_message``, and what became of those sent to
    ``receipts``; ``gave_up(problem)`` tells that only a person can help.
    ``dropped`` counts the stanzas that were no message, by reason. ``clock``,
    ``wall_clock`` and ``uniform`` are time and chance; ``elapsed`` is a clock that sleep
    does not stop, by which it is seen that the process stood still. ``in_thread`` runs what
    would hold the reactor. ``invited`` remembers the rooms that people invited us
    to, in which we are called ``nick``. ``trace`` sees what goes over the wire.
    ``ignores`` tells what nobody would answer, before a message is made of it.
    """

    name = "xmpp"

    def __init__(
        self,
        settings: XmppSettings,
        account: Account,
        endpoint: RedirectableEndpoint,
        rooms: tuple[RoomSettings, ...],
        got_message: GotMessage,
        receipts: IReceipts,
        gave_up: Callable[[ConnectionProblem], None],
        *,
        wall_clock: Callable[[], float] = time.time,
        clock: Any,
        uniform: Callable[[float, float], float],
        in_thread: InThread,
        invited: InvitedRooms | None = None,
        nick: str = "xbot",
        trace: WireLog | None = None,
        ignores: Ignores | None = None,
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        self._log = Logger("xbot.chat.xmpp")
        self._account = account
        self._receipts = receipts
        self.jid: Jid | None = None
        #: How long the text of one message may be, by what the server of now has told.
        self.measure: Measure = usual(SAFE)
        self.managed = StreamManagement(
            receipts.got_delivered,
            receipts.got_returned,
            receipts.got_refused,
            receipts.got_ready,
            clock,
        )
        self.freshness = Freshness()
        self._heartbeat = Heartbeat(
            clock,
            elapsed_clock() if elapsed is None else elapsed,
            lambda away: self.ping.woke(away),
        )
        factory = StreamFactory(
            lambda: Login(self._account, clock, in_thread, self.managed),
            account.jid.domain,
            clock,
            trace,
            got_data=lambda: self.ping.got_data(),
        )
        factory.addBootstrap(STREAM_AUTHD_EVENT, self._got_login)
        factory.addBootstrap(WRITABLE_EVENT, lambda _: receipts.got_ready())
        factory.addBootstrap(STREAM_END_EVENT, lambda _: self._got_end(endpoint))
        factory.addBootstrap(STREAM_END_EVENT, lambda _: self._heartbeat.stop())
        # Before the connection, which tells the end to those outside: by then
        # every handler has stopped its timers.
        self._handlers = Handlers(factory, clock, self.managed)
        # After the handlers: what waited may leave once they all have begun.
        factory.addBootstrap(STREAM_AUTHD_EVENT, lambda _: receipts.got_ready())
        self.connection = Connection(
            endpoint,
            factory,
            clock,
            uniform,
            gave_up,
            self._take_other_resource,
            settings.reconnect_max,
        )
        # After the connection, which sends away who comes too late.
        factory.addBootstrap(STREAM_CONNECTED_EVENT, self._got_stream)
        self.iq = Iq(lambda: self.jid, clock)
        self._bounces = Bounces(receipts.got_bounced)
        self.rooms = Rooms(
            rooms,
            self.iq,
            clock,
            uniform,
            joined=lambda room: receipts.got_ready(room.address),
            ping_interval=settings.room_ping_interval,
            bounced=self._bounces.got,
            is_stale=self._is_stale,
            # What waits for it is asked for, and refused, as everything else is from now on.
            lost=lambda room: receipts.got_ready(room.address),
        )
        self.ping = Ping(
            self.iq,
            account.jid.domain,
            clock,
            interval=settings.ping_interval,
            timeout=settings.ping_timeout,
            freshness=self.freshness,
            look=self._heartbeat.look,
            got_fresh=self.rooms.got_fresh,
        )
        self._messages = Messages(
            lambda: self.jid,
            account.jid.bare,
            self.rooms,
            got_message,
            wall_clock,
            settings.resume_max_age,
            ignores,
            self.freshness,
        )
        self.dropped = self._messages.dropped
        session = Session(self.iq)
        self.subscriptions = Subscriptions(settings, lambda: session.contacts, clock)
        self.invitations = Invitations(
            settings,
            nick,
            self.rooms,
            InvitedRooms() if invited is None else invited,
            clock,
            self._messages.is_past,
        )
        # In this order a new session begins; who asks comes after who listens.
        for handler in (
            self.iq,
            self._messages,
            session,
            self.ping,
            self.subscriptions,
            self.rooms,
            self.invitations,
        ):
            handler.setHandlerParent(self._handlers)

    @property
    def deadline(self) -> float | None:
        """By when something happens to the connection, or else we are stuck."""
        return self.connection.deadline or self.ping.deadline

    def start(self) -> None:
        """Connect, and stay connected until :meth:`stop`."""
        self.connection.start()

    def stop(self) -> Deferred[None]:
        """Say goodbye and disconnect; fires when nothing is left running."""
        stream = self.connection.stream
        if stream is not None:
            goodbye = domish.Element((ns.CLIENT, "presence"))
            goodbye["type"] = "unavailable"
            stream.send(goodbye)
        self.managed.say_goodbye()
        self._handlers.forget_session()
        return self.connection.stop()

    def send(self, message: Message) -> None:
        """Send ``message`` now; ``receipts`` are told when it arrived, or may not have.

        :raises NotConnected: when there is no session, we are not in the room yet,
            or the server does not read.
        :raises Unreachable: when the room refused us for good, or we left it.
        :raises TooLong: when the server does not take so much at once.
        :raises Undeliverable: when each stream on which it was sent ended over it.
        :raises InvalidJid: when the recipient is no address.
        """
        recipient = read_address(message.recipient)
        room = self.rooms.at(recipient.bare_text)
        if room is None:
            if message.room is not None:
                raise Unreachable(recipient.jid, "we are not in that room any more")
        elif room.state is not State.JOINED:
            if room.state is State.REFUSED:
                raise Unreachable(recipient.jid, f"the room refuses us ({room.reason})")
            raise NotConnected(recipient.jid, f"not in the room ({room.reason})")
        stream = self._handlers.stream_to(message.recipient)
        if not stream.is_writable:
            raise NotConnected(recipient.jid, "the server does not read")
        self.managed.will_send(message)
        stream.send_message(message)
        if room is not None and message.is_public:
            self._bounces.sent(room.address, message)
        if not self.managed.is_active:
            # Without acknowledgements, written is the most that can be known.
            self._receipts.got_delivered(message)

    def nick_in(self, room: str) -> str | None:
        """Our nick in ``room`` (a bare JID), or None when we are not in it."""
        known = self.rooms.at(read_address(room).bare_text)
        return known.nick if known is not None and known.state is State.JOINED else None

    def join(self, room: object, by: str | None = None) -> None:
        """Be in this room, with these settings, from now on; remember it if ``by`` orders it.

        :raises TooManyRooms: when no more are remembered.
        """
        assert isinstance(room, RoomSettings)
        if by is not None:
            self.invitations.join(room, Jid.parse(by).bare)
            return
        self.invitations.adopt(room.jid)
        self.rooms.join(room)

    def places(self) -> list[str]:
        """The rooms that we want to be in (bare JIDs)."""
        return [str(room.jid) for room in self.rooms]

    def occupant(self, room: str, person: str) -> tuple[str, str] | None:
        """Nick and affiliation of ``person`` (bare JID) in ``room`` (bare JID), if there."""
        known, identity = self.rooms.get(Jid.parse(room)), str(Jid.parse(person))
        if known is None or known.state is not State.JOINED:
            return None
        for nick in known.occupants:
            occupant = known.occupants.get(nick)
            if occupant is not None and occupant.identity == identity:
                return nick, occupant.affiliation
        return None

    def leave(self, room: str) -> None:
        """Leave ``room`` (a bare JID) and do not come back; an invitation to it is forgotten."""
        jid = Jid.parse(room)
        if not self.invitations.leave(jid):
            self.rooms.leave(jid)

    def change(self, settings: XmppSettings, nick: str) -> None:
        """Go on with other settings of the same account, on the same stream.

        What only a new connection could bring about is not looked at.
        """
        self.connection.change(settings.reconnect_max)
        self.ping.change(settings.ping_interval, settings.ping_timeout)
        self.rooms.ping_interval = settings.room_ping_interval
        self._messages.resume_max_age = settings.resume_max_age
        self.subscriptions.settings = settings
        self.invitations.change(settings, nick)

    def _got_end(self, endpoint: RedirectableEndpoint) -> None:
        # The next server may be another one.
        self.measure = usual(SAFE)
        if self.managed.location is not None:
            endpoint.prefer(self.managed.location)

    def _take_other_resource(self) -> None:
        wish = self._account.jid
        resource = f"{wish.resource or 'bot'}-{secrets.token_hex(4)}"
        self._account = evolve(self._account, jid=wish.with_resource(resource))

    def _got_stream(self, stream: Stream) -> None:
        if stream.problem is None:
            self.freshness.begin()
            self._heartbeat.start()

    def _is_stale(self) -> bool:
        # A timer may ring before anything else after a stop.
        self._heartbeat.look()
        return self.freshness.is_stale

    def _got_login(self, stream: Stream) -> None:
        self.jid = stream.authenticator.jid
        self.measure = usual(stream.max_stanza)
        how = "resumed the session of" if stream.is_resumed else "logged in as"
        self._log.info("{how} {jid}", how=how, jid=str(self.jid))
