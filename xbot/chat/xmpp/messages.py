"""Handler of incoming message stanzas: makes a Message, or counts the reason for dropping it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.words.xish import domish

from xbot.chat.xmpp.machines import Machines
from xbot.chat.xmpp.rooms.room import Room
from xbot.chat.xmpp.rooms.rooms import Rooms
from xbot.chat.xmpp.stanzas.delay import SKEW, is_delayed, is_kept, resent_stamp
from xbot.chat.xmpp.stanzas.message import (
    MAX_ID,
    MESSAGE,
    MessageStanza,
    NotAMessage,
    read_message,
)
from xbot.chat.xmpp.stream.freshness import Freshness
from xbot.chat.xmpp.stream.handlers import Handler
from xbot.chat.xmpp.wire.nodes import ATTRIBUTES, Node, node_of
from xbot.model.jid import Jid
from xbot.model.message import Message, payload_of

#: Seconds after ``resume-max-age`` in which a server's resend is still expected: for the wait
#: for the journal (30 s), the skew of clocks, and a slow network.
RESEND_MARGIN = 60.0

GotMessage = Callable[[Message], Deferred[None] | None]
"""Takes a message; the Deferred fires once it is durable, and may be acknowledged (XEP-0198)."""


class Ignores(Protocol):
    """Prefilter of the fast path: true if no responder can answer a message of a room."""

    def __call__(self, body: str, room: str, nick: str, *, delayed: bool, echo: bool) -> bool:
        """``nick`` is our own nick in the room; ``delayed`` and ``echo`` are as in Message."""


class Messages(Handler):
    """Handler of message stanzas: passes messages on, and counts all others.

    ``dropped`` counts the others by reason. Delayed messages and echoes of our own are
    passed on and marked as such: the engine drops them, for every adapter. A message that
    is read while ``freshness`` is stale counts as delayed, and is marked as missed.
    ``reflected(room, id)`` is called for each message of our own that a room sends us.

    A key made of a sender's own id lasts only while a resend is possible, because scripts
    use the same ids again. It counts for ever for a message that may itself be a resend:
    one with a delay, or one that comes soon after a resumption (not every server adds a
    delay). The server's ids always count for ever.

    ``machines`` recognises senders of direct messages that are no client. ``outage()``: at
    the beginning of a resumed stream, the seconds since anything was read from the old one.
    """

    _log = Logger("xbot.chat.xmpp")

    def __init__(
        self,
        own_jid: Callable[[], Jid | None],
        account: Jid,
        rooms: Rooms,
        got_message: GotMessage,
        wall_clock: Callable[[], float],
        resume_max_age: float,
        ignores: Ignores | None = None,
        freshness: Freshness | None = None,
        reflected: Callable[[str, str | None], None] = lambda room, id: None,
        outage: Callable[[], float] = lambda: 0.0,
        machines: Machines | None = None,
    ) -> None:
        super().__init__()
        self._own_jid = own_jid
        self._account = account
        self._recipient = ""
        self._own_address, self._server = str(account), account.domain
        # Our server stamps delays (XEP-0203) with "from" our bare JID (Prosody) or its domain
        # (ejabberd).
        self._servers = {str(account), account.domain}
        self._rooms = rooms
        self._got_message = got_message
        self._wall_clock = wall_clock
        self.resume_max_age = resume_max_age
        self._ignores = ignores
        self._freshness = Freshness() if freshness is None else freshness
        self._reflected = reflected
        self.dropped: Counter[str] = Counter()
        # Wall-clock time until which messages without a delay may be resends; 0 for none.
        self._resends_until = 0.0
        self._outage = outage
        self._machines = machines
        # The outage before this stream, in wall-clock time.
        self._outage_began = self._outage_ended = 0.0

    def observe(self) -> None:
        # The full JID does not change during a session.
        self._recipient = str(self._own_jid())
        self._resends_until = 0.0
        if self.xmlstream.is_resumed:
            self._outage_ended = self._wall_clock()
            self._outage_began = self._outage_ended - self._outage()
            self._resends_until = self._outage_ended + self._resend_window
        self.watch("message", self.got_stanza)
        self.xmlstream.shortcuts[MESSAGE] = self.take
        self.xmlstream.plain_shortcuts[MessageStanza] = self.take_plain

    # The fast path of groupchat messages (xbot.chat.xmpp.stream.stream.Shortcut).

    def take(self, node: Node) -> bool:
        """Handle a groupchat message in one of our rooms; False for any other stanza."""
        if node[ATTRIBUTES].get("type") != "groupchat":
            return False
        try:
            return self.take_plain(self._read(node))
        except NotAMessage:
            return False

    def take_plain(self, stanza: MessageStanza) -> bool:
        """Handle a groupchat message that was read already; False for any other stanza."""
        sender = stanza.sender
        room = self._rooms.at(sender.bare_text)
        if room is None:
            return False
        if stanza.is_subject:
            room.heard()
            room.got_subject()
            return True
        nick = sender.jid.resource
        is_resent = stanza.delayed and self.xmlstream.is_resumed
        if nick is None or is_resent or self._freshness.is_stale:
            return False
        room.heard()
        if not room.caught_up:
            room.unconfirmed.got_history(nick, room.nick, stanza.id, stanza.origin_id)
        if nick == room.nick:
            self._reflected(room.address, stanza.id)
        if (
            stanza.is_encrypted
            or self._ignores is None
            or not self._ignores(
                stanza.body,
                sender.bare_text,
                room.nick,
                delayed=stanza.delayed or not room.caught_up,
                echo=nick == room.nick,
            )
        ):
            self._pass_on(self._in_room(room, nick, stanza, stanza.delayed))
        return True

    # The slow path.

    def got_stanza(self, stanza: domish.Element) -> None:
        """Handle a message stanza that the fast path did not take."""
        node = node_of(stanza)
        try:
            message = self._message_of(node)
        except NotAMessage as refused:
            self.dropped[refused.reason] += 1
            # Invitations logs and counts invitations.
            if refused.reason != "invitation":
                self._log.debug(
                    "dropped a message from {sender}: {reason}",
                    sender=stanza.getAttribute("from", "")[:200],
                    reason=refused.reason,
                )
            return
        if message is not None:
            self._pass_on(message)

    def _pass_on(self, message: Message) -> None:
        safe = self._got_message(message)
        if safe is not None:
            self.xmlstream.hold(safe)

    def is_past(self, stanza: domish.Element) -> bool:
        """Whether a message stanza is history or stale input, and not live."""
        node = node_of(stanza)
        return self._freshness.is_stale or (is_delayed(node) and self._resent_stamp(node) is None)

    def _read(self, node: Node) -> MessageStanza:
        return read_message(node, self._own_address, self._server)

    def _message_of(self, node: Node) -> Message | None:
        """The message in a stanza; None for a subject, which the room handles."""
        stanza = self._read(node)
        room = self._rooms.at(stanza.sender.bare_text)
        if stanza.kind == "groupchat":
            if room is None:
                raise NotAMessage("unknown-room")
            if stanza.is_subject:
                room.got_subject()
                return None
        elif stanza.is_subject:
            raise NotAMessage("no-body")
        stamp = self._resent_stamp(node) if stanza.delayed else None
        delayed = stanza.delayed and stamp is None
        waited = 0.0 if stamp is None else self._waited(stamp)
        # Kept by our server: stored offline, or sent again too late after a resumption.
        is_stored = delayed and is_kept(node, self._servers)
        if room is None:
            if self._machines is not None and self._machines.has_sent(stanza.sender):
                raise NotAMessage("machine")
            return self._direct(stanza, delayed, is_stored, waited)
        nick = stanza.sender.jid.resource
        if nick is None:
            # XEP-0045, section 10: a notice of the room itself, which needs no answer.
            raise NotAMessage("room-notice")
        if stanza.kind == "groupchat" and not room.caught_up:
            room.unconfirmed.got_history(nick, room.nick, stanza.id, stanza.origin_id)
        if nick == room.nick and stanza.kind == "groupchat":
            self._reflected(room.address, stanza.id)
        too_late = is_stored and self.xmlstream.is_resumed and room.caught_up
        return self._in_room(room, nick, stanza, delayed, waited, too_late and nick != room.nick)

    def _in_room(
        self,
        room: Room,
        nick: str,
        stanza: MessageStanza,
        delayed: bool,
        waited: float = 0.0,
        too_late: bool = False,
    ) -> Message:
        """The message of an occupant, to the room or privately through it.

        ``too_late``: our server sends it again after a resumption, too long after it was said.
        """
        # A private message's own id does not count: a service may check only public ones.
        id = stanza.occupant_id if stanza.kind == "groupchat" else None
        occupant, number = room.occupants.speaker(nick, id)
        identity = occupant.identity
        is_past = delayed or not room.caught_up
        is_stale = self._freshness.is_stale
        may_be_resent = self._may_be_resent(stanza)
        return Message(
            stanza.sender.text,
            self._recipient,
            stanza.body,
            payload_of(stanza.kind, _kept(stanza.id)),
            room=room.address,
            nick=nick,
            # Not the sender's bare JID: that is the room, and the same for all occupants.
            identity=identity,
            delayed=is_past or is_stale,
            echo=nick == room.nick,
            key=stanza.key(),
            affiliation=occupant.affiliation,
            occupant=number,
            newcomer=identity is None
            and not room.occupants.is_certain(number)
            and room.is_newcomer(nick),
            missed=too_late or (is_stale and not is_past),
            key_lasts=self._key_lasts(stanza, may_be_resent),
            live=not (may_be_resent or is_past or is_stale),
            waited=waited,
            encrypted=stanza.is_encrypted,
        )

    def _direct(
        self, stanza: MessageStanza, delayed: bool, is_kept: bool, waited: float
    ) -> Message:
        """A direct message; ``is_kept`` if our server stored it offline (XEP-0160)."""
        identity = stanza.sender.bare
        is_stale = self._freshness.is_stale
        may_be_resent = self._may_be_resent(stanza)
        return Message(
            stanza.sender.text,
            self._recipient,
            stanza.body,
            payload_of(stanza.kind, _kept(stanza.id)),
            identity=stanza.sender.bare_text,
            delayed=delayed or is_stale,
            echo=identity == self._account,
            key=stanza.key(),
            missed=is_kept or (is_stale and not delayed),
            key_lasts=self._key_lasts(stanza, may_be_resent),
            live=not (may_be_resent or is_stale),
            waited=waited,
            encrypted=stanza.is_encrypted,
        )

    @property
    def _resend_window(self) -> float:
        return self.resume_max_age + RESEND_MARGIN

    def _may_be_resent(self, stanza: MessageStanza) -> bool:
        """Whether the server may have sent the message before."""
        return stanza.delayed or (
            self._resends_until > 0.0 and self._wall_clock() < self._resends_until
        )

    def _key_lasts(self, stanza: MessageStanza, may_be_resent: bool) -> float | None:
        if may_be_resent or stanza.stanza_id is not None:
            return None
        return self._resend_window

    def _resent_stamp(self, node: Node) -> float | None:
        """The stamp of a stanza that our server resends on a resumed session (XEP-0198)."""
        if not self.xmlstream.is_resumed:
            return None
        return resent_stamp(node, self._servers, self._wall_clock(), self.resume_max_age)

    def _waited(self, stamp: float) -> float:
        """Seconds since a resent message was said, for rate limits.

        A sender can forge the stamp of a new message, so only times within the outage count:
        then a forged one gains no more than the sender could have said in that time.
        """
        if stamp > self._outage_ended + SKEW:
            return 0.0
        said = min(max(stamp, self._outage_began), self._outage_ended)
        return max(0.0, self._wall_clock() - said)


def _kept(id: str | None) -> str | None:
    return None if id is None or len(id) > MAX_ID else id
