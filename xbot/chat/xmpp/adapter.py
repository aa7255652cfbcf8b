"""XmppAdapter: the IAdapter of one XMPP account; wires connection, rooms and messages together."""

from __future__ import annotations

import itertools
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
from xbot.chat.xmpp.deliveries import Deliveries
from xbot.chat.xmpp.disco import Answers
from xbot.chat.xmpp.holds import Holds
from xbot.chat.xmpp.machines import Machines
from xbot.chat.xmpp.messages import GotMessage, Ignores, Messages
from xbot.chat.xmpp.own_sessions import OwnSessions
from xbot.chat.xmpp.ping import Ping
from xbot.chat.xmpp.rooms.invitations import Invitations
from xbot.chat.xmpp.rooms.invited_rooms import InvitedRooms
from xbot.chat.xmpp.rooms.private_messages import readdressed
from xbot.chat.xmpp.rooms.room import Room, State
from xbot.chat.xmpp.rooms.rooms import Rooms
from xbot.chat.xmpp.roster import Roster
from xbot.chat.xmpp.security.sasl import InThread
from xbot.chat.xmpp.stanzas.addresses import Address, read_address
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

#: Occupants' numbers, unique in the process: messages in the outbox may outlive an adapter.
_OCCUPANTS = itertools.count(1)

#: Seconds until one message is tried in a room where we may not speak: first and at most.
#: Some rooms do not tell that we may speak again.
FIRST_VOICE_TRY, LAST_VOICE_TRY = 60.0, 900.0


@implementer(IAdapter)
class XmppAdapter:
    """One XMPP account in its rooms.

    - ``got_message`` gets incoming messages, ``receipts`` the fates of sent ones.
    - ``gave_up(problem)`` is called when an operator must act.
    - ``dropped`` counts the stanzas that were no message, by reason.
    - ``clock``, ``wall_clock``, ``uniform``: time and random source. ``elapsed`` is a clock
      that also runs during sleep, for suspend detection.
    - ``in_thread`` runs blocking functions.
    - ``invited`` stores the rooms that people invited the bot to; its nick there is ``nick``.
    - ``trace`` logs the traffic on the wire.
    - ``is_named(jid)``: whether the ini names this person.
    - ``ignores``: fast path; tells which texts no responder would answer, before a Message is made.
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
        is_named: Callable[[Jid], bool] = lambda jid: False,
    ) -> None:
        self._log = Logger("xbot.chat.xmpp")
        self._account = account
        self._receipts = receipts
        self.jid: Jid | None = None
        #: Maximum length of one message's text, from the current server's stanza limit.
        self.measure: Measure = usual(SAFE)
        self._holds = Holds(clock, lambda place: receipts.got_ready(place))
        self.deliveries = Deliveries(
            receipts,
            self._holds,
            clock,
            forbidden=lambda room, error: self._got_forbidden(room, str(error)),
            heard=lambda room: self._got_heard(room),
            returned=self._got_returned,
        )
        self.managed = StreamManagement(
            self.deliveries.got_acknowledged,
            self.deliveries.got_returned,
            self.deliveries.got_refused,
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
        # Before the connection, which reports the end to the bot: by then
        # every handler must have stopped its timers.
        self._handlers = Handlers(factory, clock, self.managed)
        # After the handlers: waiting messages may leave once all handlers have started.
        factory.addBootstrap(STREAM_AUTHD_EVENT, lambda _: receipts.got_ready())
        self.connection = Connection(
            endpoint,
            factory,
            clock,
            uniform,
            gave_up,
            self._take_other_resource,
            settings.reconnect_max,
            account.has_worked,
        )
        # After the connection, which closes a stream that comes too late.
        factory.addBootstrap(STREAM_CONNECTED_EVENT, self._got_stream)
        self.iq = Iq(lambda: self.jid, clock)
        self.rooms = Rooms(
            rooms,
            self.iq,
            clock,
            uniform,
            joined=self._got_joined,
            ping_interval=settings.room_ping_interval,
            is_stale=self._is_stale,
            # Makes the outbox retry its messages to this room, which are then refused at once.
            lost=lambda room: receipts.got_ready(room.address),
            numbers=_OCCUPANTS,
            got_voice=self._got_voice,
            ping_server=lambda: self.ping.ask(),
        )
        self.ping = Ping(
            self.iq,
            account.jid.domain,
            clock,
            interval=settings.ping_interval,
            timeout=settings.ping_timeout,
            freshness=self.freshness,
            look=self._heartbeat.look,
            got_fresh=self._got_fresh,
        )
        # A resumed stream (XEP-0198) whose missed presence may not be read yet.
        self._unread: Stream | None = None
        self._is_asking = False
        self._messages = Messages(
            lambda: self.jid,
            account.jid.bare,
            self.rooms,
            got_message,
            wall_clock,
            settings.resume_max_age,
            ignores,
            self.freshness,
            reflected=self.deliveries.got_reflected,
            outage=lambda: clock.seconds() - self.ping.heard_at,
            machines=Machines(clock, is_named),
        )
        self.dropped = self._messages.dropped
        self._answers = Answers(self.iq)
        roster = Roster(self.iq)
        self.subscriptions = Subscriptions(settings, lambda: roster.contacts, clock)
        self.invitations = Invitations(
            settings,
            nick,
            self.rooms,
            InvitedRooms() if invited is None else invited,
            clock,
            self._messages.is_past,
        )
        # The order in which handlers see a new session: listeners come before those that send.
        for handler in (
            self.iq,
            self.deliveries,
            self._messages,
            roster,
            OwnSessions(lambda: self.jid),
            self.ping,
            self.subscriptions,
            self.rooms,
            self.invitations,
        ):
            handler.setHandlerParent(self._handlers)

    @property
    def deadline(self) -> float | None:
        """Latest time of the next event on the connection (clock seconds), or None."""
        return self.connection.deadline or self.ping.deadline

    def start(self) -> None:
        self.connection.start()

    def stop(self) -> Deferred[None]:
        stream = self.connection.stream
        if stream is not None:
            goodbye = domish.Element((ns.CLIENT, "presence"))
            goodbye["type"] = "unavailable"
            stream.send(goodbye)
        self.managed.say_goodbye()
        self._handlers.forget_session()
        self._holds.stop()
        return self.connection.stop()

    def send(self, message: Message) -> None:
        """Send ``message`` now; its fate is reported to ``receipts``.

        :raises NotConnected: when there is no session, we are not in the room yet or may not
            speak there, the recipient asked to wait, or the server does not read
            (back-pressure).
        :raises Unreachable: when the room refused us for good, or we left it; or when the message
            is for one occupant, who left and whose real address is not known.
        :raises TooLong: when it exceeds the server's stanza limit.
        :raises Undeliverable: when each stream on which it was sent ended over it.
        :raises InvalidJid: when the recipient is not a JID.
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
        elif room.unconfirmed and self._has_arrived(message, recipient, room):
            self.managed.found(message)
            self._receipts.got_delivered(message)
            return
        if self._holds:
            self._holds.check(message.recipient, message)
        stream = self._handlers.stream_to(message.recipient)
        if not stream.is_writable:
            raise NotConnected(recipient.jid, "the server does not read")
        if room is not None and not message.is_public:
            message = self._readdressed(message, recipient, room)
        self.managed.will_send(message)
        stream.send_message(message)
        self.deliveries.sent(message)
        if not self.managed.is_active:
            # Without acknowledgements (XEP-0198), written counts as acknowledged.
            self.deliveries.got_acknowledged(message)

    def _has_arrived(self, message: Message, recipient: Address, room: Room) -> bool:
        """Whether ``message``, sent in a lost session, was found in the room's history.

        :raises NotConnected: while that is not read yet.
        """
        if room.unconfirmed.is_open and not room.caught_up:
            raise NotConnected(recipient.jid, "the room's history is not read yet")
        return room.unconfirmed.take(message)

    def _got_returned(self, messages: list[Message]) -> None:
        """A session is lost that had sent these messages: they may have arrived."""
        for message in messages:
            room = self.rooms.at(read_address(message.recipient).bare_text)
            if room is not None and message.is_public:
                room.unconfirmed.add(message, room.nick)
        self._receipts.got_returned(messages)

    def _readdressed(self, message: Message, recipient: Address, room: Room) -> Message:
        """Readdress a private message through a room to the person's current nick.

        :raises NotConnected: while presence that the server resends may not be read yet.
        """
        # Looks for a standstill first: answers of threads come before any timer fires.
        if self._is_stale():
            raise NotConnected(recipient.jid, "who left the room meanwhile is not read yet")
        if self._unread is not None and self._unread is self._handlers.xmlstream:
            self._ask_for_unread(self._unread)
            raise NotConnected(recipient.jid, "who left the room meanwhile is not read yet")
        return readdressed(message, recipient, room.occupants)

    def _ask_for_unread(self, stream: Stream) -> None:
        """Ping the server: it sends the stanzas that it stored before the answer."""
        if self._is_asking:
            return
        self._is_asking = True

        def got_answer(_: object) -> None:
            self._is_asking = False
            if self._unread is stream:
                # Also after a failure: then the ping's time-out ends the connection anyway.
                self._unread = None
                self._receipts.got_ready()

        self.ping.ask().addBoth(got_answer)

    def nick_in(self, room: str) -> str | None:
        known = self.rooms.at(read_address(room).bare_text)
        return known.nick if known is not None and known.state is State.JOINED else None

    def is_mute(self, room: str) -> bool:
        known = self.rooms.at(read_address(room).bare_text)
        return known is not None and bool(known.voice.problem)

    def join(self, room: RoomSettings, by: str | None = None) -> None:
        if by is not None:
            self.invitations.join(room, Jid.parse(by).bare)
            return
        self.invitations.adopt(room.jid)
        self.rooms.join(room)

    def places(self) -> list[str]:
        return [str(room.jid) for room in self.rooms]

    def occupant(self, room: str, person: str) -> tuple[str, str] | None:
        known, identity = self.rooms.get(Jid.parse(room)), str(Jid.parse(person))
        if known is None or known.state is not State.JOINED:
            return None
        nick = known.occupants.nick_of_person(identity)
        occupant = None if nick is None else known.occupants.get(nick)
        return None if nick is None or occupant is None else (nick, occupant.affiliation)

    def affiliation(self, message: Message) -> str:
        known = None if message.room is None else self.rooms.at(message.room)
        if known is None or known.state is not State.JOINED:
            return "none"
        return known.occupants.affiliation_of(message.occupant, message.identity)

    def leave(self, room: str) -> None:
        jid = Jid.parse(room)
        if not self.invitations.leave(jid):
            self.rooms.leave(jid)

    def change(self, settings: XmppSettings, nick: str) -> None:
        """Apply new settings of the same account on the current stream.

        Settings that need a new connection are ignored here.
        """
        self.connection.change(settings.reconnect_max)
        self.ping.change(settings.ping_interval, settings.ping_timeout)
        self.rooms.ping_interval = settings.room_ping_interval
        self._messages.resume_max_age = settings.resume_max_age
        self.subscriptions.settings = settings
        self.invitations.change(settings, nick)

    def _got_joined(self, room: Room) -> None:
        if not room.voice.problem:
            self._holds.release(room.address)
        self._receipts.got_ready(room.address)

    def _got_forbidden(self, address: str, reason: str) -> None:
        """A room did not relay a message, because we may not speak there."""
        self._holds.hold(address, "may not speak there", FIRST_VOICE_TRY, LAST_VOICE_TRY)
        if (room := self.rooms.at(address)) is not None:
            room.voice.got_forbidden(reason)

    def _got_voice(self, room: Room) -> None:
        """We may not speak in the room any more, or may again."""
        if room.voice.problem:
            self._holds.hold(room.address, room.voice.problem, FIRST_VOICE_TRY, LAST_VOICE_TRY)
        else:
            self._holds.release(room.address)
            self._receipts.got_ready(room.address)

    def _got_heard(self, address: str) -> None:
        if (room := self.rooms.at(address)) is not None:
            room.voice.got_heard()

    def _got_end(self, endpoint: RedirectableEndpoint) -> None:
        # The next server may have another stanza limit.
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

    def _got_fresh(self) -> None:
        self.rooms.got_fresh()
        # Private messages through rooms waited for it.
        self._receipts.got_ready()

    def _is_stale(self) -> bool:
        # After a standstill a timer may fire before the heartbeat notices it.
        self._heartbeat.look()
        return self.freshness.is_stale

    def _got_login(self, stream: Stream) -> None:
        self.jid = stream.authenticator.jid
        self.measure = usual(stream.max_stanza)
        self._unread = stream if stream.is_resumed else None
        self._is_asking = False
        how = "resumed the session of" if stream.is_resumed else "logged in as"
        self._log.info("{how} {jid}", how=how, jid=str(self.jid))
