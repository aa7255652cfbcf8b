"""Outbox: bounded fair FIFO queues, one per place, for messages that wait to be sent.

Messages wait for the connection, for the room, and for the server's receipt. Back-pressure:
:meth:`Outbox.has_room_for`.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.logger import Logger
from zope.interface import implementer

from xbot.chat.interfaces import IReceipts
from xbot.engine.drop_log import DropLog
from xbot.engine.message_parts import PartsReceipt, parts_of
from xbot.engine.waiting_queue import WaitingQueue
from xbot.model.errors import EnoughUnderWay, NotConnected, TooLong, Undeliverable, Unreachable
from xbot.model.message import Message
from xbot.model.random_ids import new_ident

#: Maximum number of messages, and their maximum total size in bytes.
MAX_MESSAGES = 2000
MAX_BYTES = 4 * 1024 * 1024

#: One place may use 1/SHARE of both limits.
SHARE = 2

#: Seconds: maximum time in the queue, and the interval of the check for it.
MAX_AGE, AGE_CHECK = 3600.0, 60.0

#: Maximum number of messages that came back of which the reason is remembered.
MAX_REJECTIONS = 64

#: Size of a message besides its text, in bytes.
OVERHEAD = 200


Callback = Callable[[], None]
NO_CALLBACKS = (None, None)


@implementer(IReceipts)
class Outbox:
    """Keeps messages until the adapter reports their receipt; bounded by count and bytes.

    ``send`` is the adapter's. If it raises :class:`~xbot.model.errors.NotConnected`, the
    message waits for :meth:`got_ready`; if :class:`~xbot.model.errors.Unreachable`, it is
    dropped. Each place (a room, a person) has a queue of its own, so messages to one place
    keep their order, and a place that is offline does not delay the others.

    A place may use its share of the limits; above it, its oldest message is dropped. If the
    receipt outbox is full, the oldest message of the fullest queue is dropped. A message
    is also dropped after :data:`MAX_AGE` in the queue. Each dropped message is counted and
    logged, and reported to its callback, or to ``lost(message)`` if it has none.

    ``clock`` is a reactor; :meth:`stop` cancels its timers. Without it, no message ages.
    """

    _log = Logger("xbot.engine.outbox")

    def __init__(
        self,
        send: Callable[[Message], None],
        *,
        max_messages: int = MAX_MESSAGES,
        max_bytes: int = MAX_BYTES,
        clock: Any = None,
        lost: Callable[[Message], object] = lambda message: None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        #: By id: why the last messages came back for good.
        self.rejections: OrderedDict[str, str] = OrderedDict()
        self._send = send
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._messages = 0
        self._bytes = 0
        self._clock = Clock() if clock is None else clock
        self._lost = lost
        self._drop_log = DropLog(self._log, self._clock)
        self._timer: IDelayedCall | None = None
        self._is_stopped = False
        # Whether nothing can leave before got_ready: then no place is tried.
        self._is_held = False
        self._waiting: dict[str, WaitingQueue] = {}
        # The ids of the waiting messages that came back (bounced), and by id when each of
        # them came back first.
        self._bounced: set[str] = set()
        self._bounced_since: dict[str, float] = {}
        # By id: the callbacks ``delivered`` and ``failed``.
        self._callbacks: dict[str, tuple[Callback | None, Callback | None]] = {}
        # By id: the callback ``dropped`` of callers that keep their own copy.
        self._kept: dict[str, Callback] = {}
        # The places whose messages are leaving now.
        self._flushing: set[str] = set()
        self._draining: list[Deferred[None]] = []

    def __len__(self) -> int:
        """The number of messages that wait or are under way."""
        return self._messages

    @property
    def kept(self) -> int:
        """The number of them of which the caller keeps a copy."""
        return len(self._kept)

    def has_room_for(self, message: Message) -> bool:
        """Whether :meth:`put` would queue it without dropping another message to the same place."""
        weight, waiting = _weight(message), self._waiting.get(_place(message))
        if waiting and not self._fits_there(waiting, weight):
            return False
        return self._fits(weight) or any(each is not waiting for each in self._waiting.values())

    def put(
        self,
        message: Message,
        delivered: Callback | None = None,
        failed: Callback | None = None,
        dropped: Callback | None = None,
    ) -> None:
        """Send ``message`` as soon as possible; ``delivered`` is called once it has arrived.

        ``failed`` is called instead, perhaps before this returns, if the message cannot
        be sent or is dropped; it must not call :meth:`put` itself. ``dropped`` is for a
        caller that keeps a copy and can offer it again: it is called instead of
        ``failed`` when the message itself is valid. Such a message does not grow too old.
        """
        # The id stays the same when the message is sent again, so that it can be deduplicated.
        if "id" not in message.payload:
            message = message.with_id(new_ident())
        weight = _weight(message)
        place = _place(message)
        if delivered is not None or failed is not None:
            self._callbacks[message.payload["id"]] = delivered, failed
        if dropped is not None:
            self._kept[message.payload["id"]] = dropped
        self._messages += 1
        self._bytes += weight
        if place in self._waiting:
            self._make_room_there(place, weight)
        is_too_much = self._messages > self._max_messages or self._bytes > self._max_bytes
        if is_too_much and (weight > self._max_bytes or not self._make_room()):
            self._drop(message, place, "overflow", "the outbox is full")
            return
        waiting = self._waiting.get(place)
        if waiting is not None:
            # FIFO: queue it behind the waiting messages.
            waiting.append(message)
            if not self._is_held:
                self._flush(place)
        elif self._is_held or not self._leaves(message, place):
            self._waiting_at(place).append(message)

    def got_ready(self, place: str | None = None) -> None:
        """Try to send what waits for ``place`` (a bare address; None: all places).

        The adapter accepts or refuses each message when it is given it.
        """
        self._is_held = False
        for name in list(self._waiting) if place is None else self._places_at(place):
            self._flush(name)
            if self._is_held:
                # The others are first, the next time.
                if name in self._waiting:
                    self._waiting[name] = self._waiting.pop(name)
                break

    def got_delivered(self, message: Message) -> None:
        """The receipt of ``message`` came; forget it."""
        self.counts["delivered"] += 1
        self._forget(message)
        delivered, _ = self._callbacks.pop(message.payload["id"], NO_CALLBACKS)
        if self._kept:
            self._kept.pop(message.payload["id"], None)
        if delivered is not None:
            delivered()

    def got_refused(self, message: Message) -> None:
        """``message`` can never be sent; forget it."""
        self._give_up(message, "refused")

    def got_returned(self, messages: Sequence[Message]) -> None:
        """These were sent and may not have arrived: queue them again, before all others."""
        for message in reversed(messages):
            self._waiting_at(_place(message)).appendleft(message)

    def got_bounced(self, message: Message, was_delivered: bool = False) -> None:
        """``message`` bounced: queue it again, behind those that bounced before it.

        Its age counts from the first time. ``was_delivered``: it was forgotten already.
        """
        self.counts["bounced"] += 1
        place, id, weight = _place(message), message.payload["id"], _weight(message)
        if was_delivered:
            self._messages += 1
            self._bytes += weight
        if place in self._waiting and not self._fits_there(self._waiting[place], weight):
            # It is older than all that waits there.
            self._drop(message, place, "overflow", "too much waits there")
            return
        waiting = self._waiting_at(place)
        before = sum(each.payload["id"] in self._bounced for each in waiting)
        since = self._bounced_since.setdefault(id, self._clock.seconds())
        waiting.insert(before, message, since)
        self._bounced.add(id)

    def got_rejected(self, message: Message, reason: str, was_delivered: bool = False) -> None:
        """``message`` came back for good: log it, and call its callback.

        ``was_delivered``: its callback ``delivered`` was called; then ``lost`` is called.
        """
        if was_delivered:
            self._messages += 1
            self._bytes += _weight(message)
        self.rejections[message.payload["id"]] = reason
        if len(self.rejections) > MAX_REJECTIONS:
            self.rejections.popitem(last=False)
        self._drop(message, _place(message), "rejected", reason, is_valid=False)

    def drained(self) -> Deferred[None]:
        """Fires once no message waits or is under way."""
        if not self._messages:
            return succeed(None)
        draining: Deferred[None] = Deferred()
        self._draining.append(draining)
        return draining

    def stop(self) -> None:
        """Stop the age check, and log the drops that are not logged yet."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._drop_log.stop()

    def _places_at(self, place: str) -> list[str]:
        """The queues for ``place``, and those of private messages through it."""
        if not self._waiting:
            return []
        through = f"{place}/"
        return [name for name in self._waiting if name == place or name.startswith(through)]

    def _fits(self, weight: int) -> bool:
        return self._bytes + weight <= self._max_bytes and self._messages < self._max_messages

    def _fits_there(self, waiting: WaitingQueue, weight: int) -> bool:
        """Whether one more message is within the share of a place; a single one always is."""
        return (
            len(waiting) * SHARE < self._max_messages
            and (waiting.size + weight) * SHARE <= self._max_bytes
        )

    def _make_room_there(self, place: str, weight: int) -> None:
        """Drop the oldest messages to ``place`` until one more is within its share."""
        waiting = self._waiting[place]
        while waiting and not self._fits_there(waiting, weight):
            self._drop_first(place, "too much waits there")

    def _make_room(self) -> bool:
        """Drop the oldest of the fullest queues until all is within the limits.

        Returns False if that is impossible, because all messages are under way.
        """
        while self._messages > self._max_messages or self._bytes > self._max_bytes:
            fullest = max(self._waiting, key=self._fullness, default=None)
            if fullest is None:
                return False
            self._drop_first(fullest, "the outbox is full")
        return True

    def _fullness(self, place: str) -> float:
        waiting = self._waiting[place]
        return max(len(waiting) / self._max_messages, waiting.size / self._max_bytes)

    def _waiting_at(self, place: str) -> WaitingQueue:
        waiting = self._waiting.get(place)
        if waiting is None:
            waiting = self._waiting[place] = WaitingQueue(_weight, self._clock.seconds)
            self._watch_age()
        return waiting

    def _watch_age(self) -> None:
        if self._timer is None and not self._is_stopped:
            self._timer = self._clock.callLater(AGE_CHECK, self._got_time)

    def _got_time(self) -> None:
        self._timer = None
        oldest = self._clock.seconds() - MAX_AGE
        for place, waiting in list(self._waiting.items()):
            self._drop_old(place, waiting, oldest)
        if self._waiting:
            self._watch_age()

    def _drop_old(self, place: str, waiting: WaitingQueue, oldest: float) -> None:
        at = 0
        while at < len(waiting) and waiting.since_of(at) <= oldest:
            message = waiting[at]
            if message.payload["id"] in self._kept:
                at += 1
                continue
            del waiting[at]
            self._end_waiting(place, waiting, message)
            self._drop(message, place, "too-old", f"it waited for {MAX_AGE / 60:g} minutes")

    def _drop_first(self, place: str, reason: str) -> None:
        waiting = self._waiting[place]
        message = waiting.popleft()
        self._end_waiting(place, waiting, message)
        self._drop(message, place, "overflow", reason)

    def _end_waiting(self, place: str, waiting: WaitingQueue, message: Message) -> None:
        self._bounced.discard(message.payload["id"])
        if not waiting:
            self._waiting.pop(place, None)

    def _drop(
        self, message: Message, place: str, fate: str, reason: str, *, is_valid: bool = True
    ) -> None:
        """Drop ``message``: count and log it, and call its callback.

        ``is_valid``: a caller that keeps a copy may offer it again.
        """
        self.counts[fate] += 1
        # Private messages through a room are logged with the room.
        self._drop_log.add(message.room or place, reason)
        dropped = self._kept.pop(message.payload["id"], None)
        self._fail(message, dropped if is_valid else None)

    def _fail(self, message: Message, dropped: Callback | None = None) -> None:
        """Forget ``message``, and call ``dropped``, or its ``failed`` callback, or ``lost``."""
        self._forget(message)
        self._kept.pop(message.payload["id"], None)
        _, failed = self._callbacks.pop(message.payload["id"], NO_CALLBACKS)
        told = dropped or failed
        if told is not None:
            told()
        else:
            self._lost(message)

    def _flush(self, place: str) -> None:
        queue = self._waiting.get(place)
        if queue is None or place in self._flushing:
            # A message that arrives at once may make its place ready: the loop goes on by itself.
            return
        self._flushing.add(place)
        try:
            while queue:
                if not self._leaves(queue[0], place):
                    return
                self._bounced.discard(queue.popleft().payload["id"])
        finally:
            self._flushing.discard(place)
        self._waiting.pop(place, None)

    def _leaves(self, message: Message, place: str) -> bool:
        """Try to send ``message``; return False if it has to wait."""
        try:
            self._send(message)
        except Unreachable as reason:
            self._drop(message, place, "unreachable", reason.reason)
        except EnoughUnderWay:
            self._is_held = True
            return False
        except NotConnected as reason:
            self._log.debug("waiting: {reason}", reason=str(reason))
            return False
        except TooLong as too_long:
            self._split(message, place, too_long)
        except Undeliverable as reason:
            self._log.debug("given up: {reason}", reason=str(reason))
            self._give_up(message, "refused")
        except Exception:
            self._log.failure("cannot send a message to {place}", place=place)
            self._give_up(message, "failed")
        return True

    def _split(self, message: Message, place: str, too_long: TooLong) -> None:
        """Replace a message that is too long by parts that fit.

        If the message waits in a queue, they are inserted behind it, and the caller's flush
        sends them. Otherwise they are queued and flushed here.
        """
        try:
            parts, lost = parts_of(message, too_long.measure)
        except ValueError:
            self._log.error("message not sent: {reason}", reason=str(too_long))
            self._give_up(message, "failed")
            return
        if lost:
            self.counts["cut"] += 1
            self._log.warn(
                "cut a message to {recipient}: {lost} characters do not fit into {count} messages",
                recipient=message.recipient,
                lost=lost,
                count=len(parts),
            )
        id = message.payload["id"]
        told, dropped = self._callbacks.pop(id, NO_CALLBACKS), self._kept.pop(id, None)
        receipt = PartsReceipt(len(parts), *told, dropped)
        for part in parts:
            self._messages += 1
            self._bytes += _weight(part)
            if told != NO_CALLBACKS:
                self._callbacks[part.payload["id"]] = receipt.got_delivered, receipt.got_failed
            if dropped is not None:
                self._kept[part.payload["id"]] = receipt.got_dropped
        self._forget(message)
        waiting = self._waiting.get(place)
        if waiting is None:
            waiting = self._waiting_at(place)
            for part in parts:
                waiting.append(part)
            self._flush(place)
            return
        for part in reversed(parts):
            waiting.insert(1, part)

    def _give_up(self, message: Message, why: str) -> None:
        self.counts[why] += 1
        self._fail(message)

    def _forget(self, message: Message) -> None:
        self._messages -= 1
        self._bytes -= _weight(message)
        if self._bounced_since:
            self._bounced_since.pop(message.payload["id"], None)
        if not self._messages:
            draining, self._draining = self._draining, []
            for deferred in draining:
                deferred.callback(None)


def _place(message: Message) -> str:
    """The key of its queue: a private message through a room does not wait behind public ones."""
    return message.recipient


def _weight(message: Message) -> int:
    # Each character counts as four bytes, the maximum of UTF-8: encoding would cost more.
    return OVERHEAD + 4 * len(message.body)
