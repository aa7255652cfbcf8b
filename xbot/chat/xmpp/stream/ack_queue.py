"""Stream management without a stream: what was received, what was sent, what is safe (XEP-0198).

Both counters run modulo 2^32 (XEP-0198, section 4). Numbers given to callers
are tickets that never wrap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

MODULUS = 2**32


class BadAcknowledgement(ValueError):
    """The peer acknowledges more than was sent, or takes an acknowledgement back."""


class Sent(NamedTuple, Generic[T]):
    """One stanza under way: its bytes, and what the sender wants to know it by."""

    data: bytes
    token: T | None = None


class Inbound:
    """What we may tell the peer that we have handled.

    Stanzas are handled in any order; ``h`` counts those before the first that
    is still in work, so that what a crash would lose is sent again.
    """

    def __init__(self) -> None:
        self._received = 0
        self._handled = 0
        self._early: set[int] = set()

    @property
    def h(self) -> int:
        """The count to tell, modulo 2^32."""
        return self._handled % MODULUS

    @property
    def in_work(self) -> int:
        """How many are received and not handled, or wait for one that is not."""
        return self._received - self._handled

    def passed(self) -> None:
        """A stanza came, and is handled already, as nearly all are."""
        if self._handled == self._received:
            self._handled += 1
            self._received += 1
        else:
            self.handled(self.received())

    def received(self) -> int:
        """A stanza came; gives the ticket to hand to :meth:`handled`."""
        self._received += 1
        return self._received

    def handled(self, ticket: int) -> bool:
        """The stanza of this ticket is safe; tells whether ``h`` grew."""
        before = self._handled
        if ticket > before:
            self._early.add(ticket)
        while self._handled + 1 in self._early:
            self._handled += 1
            self._early.remove(self._handled)
        return self._handled > before


class Outbound(Generic[T]):
    """What was sent and is not known to have arrived, oldest first; ``size`` is its bytes."""

    def __init__(self) -> None:
        self.size = 0
        self._acknowledged = 0
        self._unacknowledged: deque[Sent[T]] = deque()

    def __len__(self) -> int:
        return len(self._unacknowledged)

    def __iter__(self) -> Iterator[Sent[T]]:
        return iter(self._unacknowledged)

    def sent(self, data: bytes, token: T | None = None) -> None:
        """A stanza left."""
        self.size += len(data)
        self._unacknowledged.append(Sent(data, token))

    def first(self) -> Sent[T] | None:
        """The oldest, if there is one."""
        return self._unacknowledged[0] if self._unacknowledged else None

    def drop_first(self) -> None:
        """The oldest is not to be sent again: the peer has not handled it, and will not."""
        self.size -= len(self._unacknowledged.popleft().data)

    def take(self, is_taken: Callable[[T], bool]) -> list[T]:
        """Remove the tokens that ``is_taken``; as for :meth:`drop_first`, none was handled."""
        taken = [sent for sent in self if sent.token is not None and is_taken(sent.token)]
        if taken:
            ours = {id(sent) for sent in taken}
            self._unacknowledged = deque(sent for sent in self if id(sent) not in ours)
            self.size -= sum(len(sent.data) for sent in taken)
        return [sent.token for sent in taken if sent.token is not None]

    def acknowledged(self, h: int) -> list[Sent[T]]:
        """The peer has handled ``h`` in all; gives those that this frees.

        :raises BadAcknowledgement: XEP-0198 4: for a count that cannot be.
        """
        count = (h - self._acknowledged) % MODULUS
        if not 0 <= h < MODULUS or count > len(self._unacknowledged):
            raise BadAcknowledgement(
                f"{h} acknowledged, with {len(self._unacknowledged)} under way"
                f" after {self._acknowledged % MODULUS}"
            )
        self._acknowledged += count
        freed = [self._unacknowledged.popleft() for _ in range(count)]
        self.size -= sum(len(sent.data) for sent in freed)
        return freed


class Session(Generic[T]):
    """Both directions of one session, which outlives its streams when it can be resumed.

    ``previd`` is the session's name at the server (None: it cannot be resumed),
    ``location`` where the server wants to be asked ("host:port", or None).
    """

    def __init__(self, previd: str | None = None, location: str | None = None) -> None:
        self.previd = previd
        self.location = location
        self.inbound = Inbound()
        self.outbound: Outbound[T] = Outbound()
