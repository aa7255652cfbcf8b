"""Deliveries: what becomes of a message after it was written, until it arrived or came back.

A server acknowledges a message (XEP-0198) before the room, or the other side, has seen it.
What they refuse comes back as an error stanza, which may arrive after the acknowledgement.
So a message to a room has arrived once the room reflects it (XEP-0045, section 7.4).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.xish import domish

from xbot.chat.interfaces import IReceipts
from xbot.chat.xmpp.holds import Holds
from xbot.chat.xmpp.stanzas.addresses import Address, read_address
from xbot.chat.xmpp.stanzas.stanza import StanzaError, read_error
from xbot.chat.xmpp.stream.handlers import Handler
from xbot.chat.xmpp.wire.nodes import node_of
from xbot.model.errors import InvalidJid
from xbot.model.message import Message

#: Seconds after the acknowledgement in which a room has to reflect a message. After that the
#: acknowledgement counts: there are services that give a reflected message another id.
REFLECT_TIMEOUT = 10.0

#: Maximum number of messages that are remembered for each address, and in all (LRU).
MAX_EACH, MAX_KNOWN = 64, 4096

#: An error of type "wait": maximum number of further tries, and the seconds before them,
#: first and at most.
MAX_TRIES, FIRST_TRY, LAST_TRY = 5, 5.0, 300.0

#: Maximum number of messages whose further tries are counted (LRU).
MAX_TRIED = 2048

#: Seconds before a message is sent again to a room that said that we are not in it, unless
#: we join it again before that.
NOT_IN_ROOM_TRY = 5.0

#: XEP-0045 7.4: the errors of a room in which we are not, or may not speak.
_NOT_IN_ROOM, _NO_VOICE = "not-acceptable", "forbidden"


@define(eq=False)
class _Sent:
    """A message that was written to ``place``, a bare JID.

    ``is_over``: its outcome was reported to the outbox.

    ``is_late``: that outcome is "delivered", by the acknowledgement alone. ``due`` is when
    the acknowledgement counts without a reflection.
    """

    message: Message
    place: str
    id: str
    is_public: bool
    is_acknowledged: bool = False
    is_over: bool = False
    is_late: bool = False
    due: float = 0.0


class Deliveries(Handler):
    """Reports to ``receipts`` which messages arrived, and which came back.

    - ``holds`` keeps later messages from a place that asks to wait.
    - ``forbidden(room, error)`` is called when a room (bare JID) sent a message back because
      we may not speak there; that message waits.
    - ``heard(room)`` is called when a room reflects a message of ours.
    - ``returned(messages)`` takes those whose outcome is open when their session was lost.

    An error counts only if it has the id of a message that we sent to its sender.
    """

    _log = Logger("xbot.chat.xmpp")

    def __init__(
        self,
        receipts: IReceipts,
        holds: Holds,
        clock: Any,
        forbidden: Callable[[str, StanzaError], None],
        heard: Callable[[str], None],
        returned: Callable[[list[Message]], None],
    ) -> None:
        super().__init__()
        self._receipts = receipts
        self._holds = holds
        self._clock = clock
        self._forbidden = forbidden
        self._heard = heard
        self._returned = returned
        # By bare JID and id.
        self._known: OrderedDict[str, OrderedDict[str, _Sent]] = OrderedDict()
        self._count = 0
        # Acknowledged messages to rooms that did not reflect them yet, the oldest first.
        self._awaited: OrderedDict[str, _Sent] = OrderedDict()
        self._timer: IDelayedCall | None = None
        # By id: the number of times that a message came back and was sent again.
        self._tries: OrderedDict[str, int] = OrderedDict()

    # The session.

    def observe(self) -> None:
        self.watch("message", self.got_message)
        # Reflections may have waited while the stream was down.
        due = self._clock.seconds() + REFLECT_TIMEOUT
        for sent in self._awaited.values():
            sent.due = due
        self._watch_time()

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        for sent in list(self._awaited.values()):
            self._deliver(sent, is_late=True)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # From the adapter and from stream management.

    def sent(self, message: Message) -> None:
        """``message`` was written."""
        id = message.payload.get("id")
        if id is None:
            return
        place = _bare(message)
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = OrderedDict()
        elif len(self._known) > 1:
            self._known.move_to_end(place)
        if id not in known:
            self._count += 1
        known[id] = _Sent(message, place, id, message.is_public and message.room is not None)
        if len(known) > MAX_EACH:
            self._evict(place)
        elif self._count > MAX_KNOWN:
            self._evict_oldest()

    def got_acknowledged(self, message: Message) -> None:
        """The server has ``message``."""
        sent = self._find(_bare(message), message.payload.get("id"))
        if sent is None:
            self._receipts.got_delivered(message)
        elif sent.is_over:
            # It was reflected, or came back, before the acknowledgement.
            self._forget(sent)
        else:
            sent.is_acknowledged = True
            if not sent.is_public:
                self._deliver(sent, is_late=True)
                return
            sent.due = self._clock.seconds() + REFLECT_TIMEOUT
            self._awaited[sent.id] = sent
            self._watch_time()

    def got_returned(self, messages: Sequence[Message]) -> None:
        """The session ended before the server acknowledged these."""
        left = [message for message in messages if not self._is_settled(message)]
        if left:
            self._returned(left)

    def got_refused(self, message: Message) -> None:
        """``message`` is never sent again: each stream ended over it."""
        if not self._is_settled(message):
            self._receipts.got_refused(message)

    def got_reflected(self, room: str, id: str | None) -> None:
        """``room`` sent our message with this id to everyone in it."""
        sent = self._find(room, id)
        if sent is None or not sent.is_public:
            return
        if not sent.is_over:
            self._deliver(sent, is_late=False)
        elif sent.is_acknowledged:
            self._forget(sent)
        self._heard(room)

    def got_message(self, stanza: domish.Element) -> None:
        """Handle a message stanza of type error: one of ours may have come back."""
        if stanza.getAttribute("type") != "error":
            return
        try:
            sender = read_address(stanza.getAttribute("from", ""))
        except InvalidJid:
            return
        sent = self._find(sender.bare_text, stanza.getAttribute("id"))
        if sent is None or not _is_from(sender, sent):
            return
        if sent.is_over and not sent.is_late:
            # It was reflected, or came back already.
            return
        was_delivered, sent.is_over, sent.is_late = sent.is_over, True, False
        if sent.is_acknowledged:
            self._forget(sent)
        self._got_error(sent, read_error(node_of(stanza)), was_delivered)

    # Errors.

    def _got_error(self, sent: _Sent, error: StanzaError, was_delivered: bool) -> None:
        """A message came back: send it again later, or report that it never arrives."""
        message, is_public = sent.message, sent.is_public
        place = message.recipient
        if is_public and error.condition == _NO_VOICE:
            self._forbidden(place, error)
        elif is_public and error.condition == _NOT_IN_ROOM:
            if not self._may_try(message, 1):
                self._reject(message, error, was_delivered)
                return
            self._log.info("{room} returned a message: sending it again", room=place)
            self._holds.hold(place, "the room returned a message", NOT_IN_ROOM_TRY, LAST_TRY)
        elif error.is_temporary and self._may_try(message, MAX_TRIES):
            self._log.debug(
                "{place} returned a message, to be sent later: {error}",
                place=place,
                error=str(error),
            )
            self._holds.hold(place, f"it asks to wait: {error}", FIRST_TRY, LAST_TRY)
        else:
            self._reject(message, error, was_delivered)
            return
        self._receipts.got_bounced(message, was_delivered)

    def _reject(self, message: Message, error: StanzaError, was_delivered: bool) -> None:
        self._tries.pop(message.payload["id"], None)
        self._receipts.got_rejected(message, f"it came back: {error}", was_delivered)

    def _may_try(self, message: Message, most: int) -> bool:
        """Count one more try of ``message``; False if it had ``most`` already."""
        id = message.payload["id"]
        tries = self._tries.get(id, 0)
        if tries >= most:
            return False
        self._tries[id] = tries + 1
        self._tries.move_to_end(id)
        if len(self._tries) > MAX_TRIED:
            self._tries.popitem(last=False)
        return True

    # Memory and time.

    def _find(self, place: str, id: str | None) -> _Sent | None:
        known = self._known.get(place)
        return None if known is None or id is None else known.get(id)

    def _deliver(self, sent: _Sent, is_late: bool) -> None:
        """Report that a message arrived; ``is_late``: an error may still follow."""
        sent.is_over, sent.is_late = True, is_late
        if self._awaited:
            self._awaited.pop(sent.id, None)
        if sent.is_acknowledged and not is_late:
            self._forget(sent)
        if self._tries and not is_late:
            self._tries.pop(sent.id, None)
        self._receipts.got_delivered(sent.message)
        if self._holds:
            self._holds.got_delivered(sent.message.recipient, sent.id)

    def _is_settled(self, message: Message) -> bool:
        """Forget ``message``; returns whether its outcome was reported already."""
        sent = self._find(_bare(message), message.payload.get("id"))
        if sent is None:
            return False
        self._forget(sent)
        return sent.is_over

    def _forget(self, sent: _Sent) -> None:
        known = self._known.get(sent.place)
        if known is not None and known.get(sent.id) is sent:
            del known[sent.id]
            self._count -= 1
            if not known:
                del self._known[sent.place]
        if self._awaited:
            self._awaited.pop(sent.id, None)

    def _evict_oldest(self) -> None:
        """Forget a message to the place to which none was sent for the longest time."""
        # Few messages wait for the acknowledgement: stream management has a window.
        for _ in range(MAX_EACH):
            place = next(iter(self._known))
            if self._evict(place):
                return
            self._known.move_to_end(place)

    def _evict(self, place: str) -> bool:
        """Forget the oldest message to ``place``; False if its acknowledgement is due."""
        sent = next(iter(self._known[place].values()))
        if not sent.is_acknowledged:
            return False
        if not sent.is_over:
            self._deliver(sent, is_late=True)
        self._forget(sent)
        return True

    def _watch_time(self) -> None:
        if self._awaited and self._timer is None:
            due = next(iter(self._awaited.values())).due
            wait = max(0.0, due - self._clock.seconds())
            self._timer = self._clock.callLater(wait, self._got_time)

    def _got_time(self) -> None:
        self._timer = None
        if self.xmlstream is None:
            # The stream is down; observe() begins anew.
            return
        now = self._clock.seconds()
        while self._awaited and (sent := next(iter(self._awaited.values()))).due <= now:
            self._deliver(sent, is_late=True)
        self._watch_time()


def _bare(message: Message) -> str:
    return read_address(message.recipient).bare_text


def _is_from(sender: Address, sent: _Sent) -> bool:
    """Whether ``sender`` can return this message.

    The ids of public messages are known to all occupants; only the room itself returns them.
    """
    if sent.message.room is None:
        return True
    if sent.is_public:
        return sender.jid.resource is None
    return sender.text == read_address(sent.message.recipient).text
