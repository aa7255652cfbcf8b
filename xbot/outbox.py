"""The outbox: what is to be said waits here for the link, for the room, and for its receipt."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from xbot.errors import NotConnected, TooLong, Undeliverable
from xbot.idents import new_ident
from xbot.interfaces import IReceipts
from xbot.message import Message
from xbot.parts import Whole, parts_of

MAX_MESSAGES = 2000
MAX_BYTES = 4 * 1024 * 1024

#: What a message weighs besides its text.
OVERHEAD = 200


Told = Callable[[], None]
NOBODY = (None, None)


@implementer(IReceipts)
class Outbox:
    """Keeps messages until the adapter says that they arrived; bounded by count and bytes.

    ``send`` is the adapter's: it raises :class:`~xbot.errors.NotConnected` for
    what cannot leave now, which then waits, in order, for :meth:`got_ready`.
    What does not fit is dropped, logged and counted. What one place (a room, a
    person) is told keeps its order; one that is not there holds nobody up.
    """

    _log = Logger("xbot.outbox")

    def __init__(
        self,
        send: Callable[[Message], None],
        *,
        max_messages: int = MAX_MESSAGES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._send = send
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._messages = 0
        self._bytes = 0
        self._waiting: dict[str, deque[Message]] = {}
        # The ids of those that wait because they came back.
        self._bounced: set[str] = set()
        # By id: who is told that it arrived, and that it never will.
        self._told: dict[str, tuple[Told | None, Told | None]] = {}
        self._draining: list[Deferred[None]] = []

    def __len__(self) -> int:
        """How many messages wait or are under way."""
        return self._messages

    def has_room_for(self, message: Message) -> bool:
        """Whether :meth:`put` would keep it."""
        return self._fits(_weight(message))

    def put(
        self, message: Message, delivered: Told | None = None, failed: Told | None = None
    ) -> None:
        """Say this as soon as it can be said; ``delivered`` is called once it has arrived.

        ``failed`` is called instead, perhaps at once, if the adapter cannot say
        it at all; it puts nothing in here before it has returned.
        """
        weight = _weight(message)
        if not self._fits(weight):
            self.counts["overflow"] += 1
            self._log.error(
                "the outbox is full ({messages} messages): dropped one to {recipient}",
                messages=self._messages,
                recipient=message.recipient,
            )
            return
        self._messages += 1
        self._bytes += weight
        # The id stays the same if it has to be sent again.
        if "id" not in message.payload:
            message = message.with_id(new_ident())
        if delivered is not None or failed is not None:
            self._told[message.payload["id"]] = delivered, failed
        place = _place(message)
        waiting = self._waiting.get(place)
        if waiting is not None:
            # Nothing overtakes what waits.
            waiting.append(message)
            self._flush(place)
        elif not self._leaves(message, place):
            self._waiting[place] = deque([message])

    def got_ready(self, place: str | None = None) -> None:
        """What waits for this place (a bare address; None: for any) may leave now."""
        for name in list(self._waiting) if place is None else [place]:
            self._flush(name)

    def got_delivered(self, message: Message) -> None:
        """The other side has it; it is forgotten here."""
        self.counts["delivered"] += 1
        self._forget(message)
        delivered, _ = self._told.pop(message.payload["id"], NOBODY)
        if delivered is not None:
            delivered()

    def got_refused(self, message: Message) -> None:
        """It can never be said: it is forgotten here."""
        self._give_up(message, "refused")

    def got_returned(self, messages: Sequence[Message]) -> None:
        """These left and may not have arrived: they wait again, before all others."""
        for message in reversed(messages):
            self._waiting.setdefault(_place(message), deque()).appendleft(message)

    def got_bounced(self, message: Message) -> None:
        """It came back: it waits again, behind what came back before it."""
        self.counts["bounced"] += 1
        self._messages += 1
        self._bytes += _weight(message)
        waiting = self._waiting.setdefault(_place(message), deque())
        before = sum(each.payload["id"] in self._bounced for each in waiting)
        waiting.insert(before, message)
        self._bounced.add(message.payload["id"])

    def drained(self) -> Deferred[None]:
        """Fires once nothing waits and nothing is under way."""
        if not self._messages:
            return succeed(None)
        draining: Deferred[None] = Deferred()
        self._draining.append(draining)
        return draining

    def _fits(self, weight: int) -> bool:
        return self._bytes + weight <= self._max_bytes and self._messages < self._max_messages

    def _flush(self, place: str) -> None:
        queue = self._waiting.get(place)
        while queue:
            if not self._leaves(queue[0], place):
                return
            self._bounced.discard(queue.popleft().payload["id"])
        self._waiting.pop(place, None)

    def _leaves(self, message: Message, place: str) -> bool:
        """Send it; whether it need not wait any more."""
        try:
            self._send(message)
        except NotConnected as reason:
            self._log.debug("waiting: {reason}", reason=str(reason))
            return False
        except TooLong as too_long:
            self._split(message, place, too_long)
        except Undeliverable as reason:
            self._log.debug("given up: {reason}", reason=str(reason))
            self._give_up(message, "refused")
        except Exception:
            self._log.failure("cannot say something to {place}", place=place)
            self._give_up(message, "failed")
        return True

    def _split(self, message: Message, place: str, too_long: TooLong) -> None:
        """Parts that fit take its place, behind it where it waits; what flushes that flushes them.

        Where nothing waited, they are flushed here.
        """
        try:
            parts, lost = parts_of(message, too_long.measure)
        except ValueError:
            self._log.error("not said: {reason}", reason=str(too_long))
            self._give_up(message, "failed")
            return
        if lost:
            self.counts["cut"] += 1
            self._log.warn(
                "cut what was to be said to {recipient}: {lost} characters do not fit into"
                " {count} messages",
                recipient=message.recipient,
                lost=lost,
                count=len(parts),
            )
        told = self._told.pop(message.payload["id"], NOBODY)
        whole = Whole(len(parts), *told)
        for part in parts:
            self._messages += 1
            self._bytes += _weight(part)
            if told != NOBODY:
                self._told[part.payload["id"]] = whole.got_delivered, whole.got_failed
        self._forget(message)
        waiting = self._waiting.get(place)
        if waiting is None:
            self._waiting[place] = deque(parts)
            self._flush(place)
            return
        for part in reversed(parts):
            waiting.insert(1, part)

    def _give_up(self, message: Message, why: str) -> None:
        self.counts[why] += 1
        self._forget(message)
        _, failed = self._told.pop(message.payload["id"], NOBODY)
        if failed is not None:
            failed()

    def _forget(self, message: Message) -> None:
        self._messages -= 1
        self._bytes -= _weight(message)
        if not self._messages:
            draining, self._draining = self._draining, []
            for deferred in draining:
                deferred.callback(None)


def _place(message: Message) -> str:
    """Where it is said: what is said privately through a room waits for the room too."""
    return message.room or message.recipient


def _weight(message: Message) -> int:
    # Characters are counted four bytes each, which no text exceeds, so that
    # nothing is encoded only to be weighed.
    return OVERHEAD + 4 * len(message.body)
