"""Acknowledgement queue of stream management: counters and unacknowledged stanzas (XEP-0198).

Pure. Both counters run modulo 2^32 (XEP-0198, section 4). Numbers given to callers
are tickets that never wrap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

MODULUS = 2**32


class BadAcknowledgement(ValueError):
    """The peer acknowledges more than was sent, or less than before."""


class Sent(NamedTuple, Generic[T]):
    """One unacknowledged stanza: its bytes, and the sender's token."""

    data: bytes
    token: T | None = None


class Inbound:
    """Counter of received stanzas that are handled.

    Stanzas may be handled in any order; ``h`` counts those before the first that is
    still in work, so that the server sends the rest again after a crash.
    """

    def __init__(self) -> None:
        self._received = 0
        self._handled = 0
        self._early: set[int] = set()

    @property
    def h(self) -> int:
        """The count for the peer, modulo 2^32."""
        return self._handled % MODULUS

    @property
    def in_work(self) -> int:
        """The number of stanzas that are received but not counted in ``h`` yet."""
        return self._received - self._handled

    def passed(self) -> None:
        """A stanza was received and handled (the usual case)."""
        if self._handled == self._received:
            self._handled += 1
            self._received += 1
        else:
            self.handled(self.received())

    def received(self) -> int:
        """A stanza was received; returns the ticket for :meth:`handled`."""
        self._received += 1
        return self._received

    def handled(self, ticket: int) -> bool:
        """The stanza of this ticket is handled; returns whether ``h`` grew."""
        before = self._handled
        if ticket > before:
            self._early.add(ticket)
        while self._handled + 1 in self._early:
            self._handled += 1
            self._early.remove(self._handled)
        return self._handled > before


class Outbound(Generic[T]):
    """FIFO queue of sent, unacknowledged stanzas; ``size`` is their total size in bytes."""

    def __init__(self) -> None:
        self.size = 0
        self._acknowledged = 0
        self._unacknowledged: deque[Sent[T]] = deque()

    def __len__(self) -> int:
        return len(self._unacknowledged)

    def __iter__(self) -> Iterator[Sent[T]]:
        return iter(self._unacknowledged)

    def sent(self, data: bytes, token: T | None = None) -> None:
        """Append a stanza that was sent."""
        self.size += len(data)
        self._unacknowledged.append(Sent(data, token))

    def first(self) -> Sent[T] | None:
        """The oldest unacknowledged stanza, or None."""
        return self._unacknowledged[0] if self._unacknowledged else None

    def drop_first(self) -> None:
        """Remove the oldest stanza, so that it is not sent again."""
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
        """The peer has handled ``h`` stanzas in all; returns those newly acknowledged.

        :raises BadAcknowledgement: for an impossible count (XEP-0198, section 4).
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
    """Both directions of one session, which can outlive its stream and be resumed.

    ``previd`` is the session's id at the server (None: it cannot be resumed),
    ``location`` is the preferred address for the resumption ("host:port", or None).
    """

    def __init__(self, previd: str | None = None, location: str | None = None) -> None:
        self.previd = previd
        self.location = location
        self.inbound = Inbound()
        self.outbound: Outbound[T] = Outbound()
