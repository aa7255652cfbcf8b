"""Freshness check: a barrier against stale input after a standstill or a stuck connection.

Stanzas in the socket's buffer, or retransmitted by TCP after minutes, have no delay
stamp (XEP-0203), because the server passed them on at once. But a stream keeps its
order: what follows the answer to a ping (XEP-0199) was sent after that ping. So after
the process was suspended, or a ping was answered too late, everything is stale until a
new ping is answered in time.
"""

from __future__ import annotations

from collections import Counter

from xbot.process.suspend_detection import LIMIT

#: Reasons for stale input: the process was suspended, or the connection was stuck.
AWAY, STUCK = "away", "stuck"


class Freshness:
    """``is_stale``: whether stanzas read now may have been sent long ago. Pure; for one stream.

    Times are seconds of a clock that includes sleep. ``counts`` tells how often input
    became stale, by reason, over all streams.
    """

    def __init__(self) -> None:
        # An attribute and no property, since it is read for each message.
        self.is_stale = False
        self.counts: Counter[str] = Counter()
        # Send times of the unanswered pings that can prove freshness, in order.
        self._asked: list[float] = []

    def begin(self) -> None:
        """A new connection begins; everything on it is fresh."""
        self.is_stale = False
        self._asked.clear()

    def woke(self) -> None:
        """The process was suspended, and goes on."""
        self.is_stale = True
        self.counts[AWAY] += 1
        # Their answers may be in the buffer already, so they prove nothing.
        self._asked.clear()

    def stuck_for(self, now: float) -> float:
        """Seconds since the oldest unanswered ping, if it is newly found too old; else 0."""
        if not self._asked or self.is_stale or now - self._asked[0] <= LIMIT:
            return 0.0
        self.is_stale = True
        self.counts[STUCK] += 1
        return now - self._asked[0]

    def asked(self, now: float) -> None:
        """A ping is sent."""
        self._asked.append(now)

    def lost(self, sent: float) -> None:
        """The ping of ``sent`` will not be answered."""
        if sent in self._asked:
            self._asked.remove(sent)

    def answered(self, sent: float, now: float) -> bool:
        """The ping of ``sent`` was answered; returns whether input is fresh again from here."""
        if sent not in self._asked:
            return False
        # The stream keeps its order: this answer stands for earlier pings, too.
        self._asked = [other for other in self._asked if other > sent]
        if not self.is_stale or now - sent > LIMIT:
            return False
        self.is_stale = False
        return True

    @property
    def is_asked(self) -> bool:
        """Whether a ping is under way whose answer can prove freshness."""
        return bool(self._asked)
