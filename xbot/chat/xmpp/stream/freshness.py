"""Freshness check of what is read: a barrier behind a process that stood still, or a stuck link.

Bytes do not tell how old they are. What lies in the socket's buffer, or is sent again
by TCP after minutes, bears no delay, for the server passed it on at once. But the
stream keeps its order: what is read behind the answer to a ping (XEP-0199) was sent
after that ping. So after a stop, or once an answer took too long, all is past that
comes before the answer to a ping sent after that, if this one came in time.
"""

from __future__ import annotations

from collections import Counter

from xbot.process.suspend_detection import LIMIT

#: Why nothing is obeyed: the process was away, or the link was stuck.
AWAY, STUCK = "away", "stuck"


class Freshness:
    """Whether what is read now may have been sent long ago (``is_stale``). Pure; of one stream.

    Times are seconds of a clock that sleep does not stop. ``counts`` tells how often and why
    it became stale, over all streams.
    """

    def __init__(self) -> None:
        # Asked for each message: no property.
        self.is_stale = False
        self.counts: Counter[str] = Counter()
        # When the pings were sent that are not answered and may prove something, in order.
        self._asked: list[float] = []

    def begin(self) -> None:
        """A new connection: whatever comes over it is sent after this."""
        self.is_stale = False
        self._asked.clear()

    def woke(self) -> None:
        """The process stood still, and goes on."""
        self.is_stale = True
        self.counts[AWAY] += 1
        # Their answers may lie in the buffer, before or behind anything.
        self._asked.clear()

    def stuck_for(self, now: float) -> float:
        """Seconds that the link was stuck, if it turns out now that it was; else 0."""
        if not self._asked or self.is_stale or now - self._asked[0] <= LIMIT:
            return 0.0
        self.is_stale = True
        self.counts[STUCK] += 1
        return now - self._asked[0]

    def asked(self, now: float) -> None:
        """A ping leaves."""
        self._asked.append(now)

    def lost(self, sent: float) -> None:
        """The ping of ``sent`` will not be answered."""
        if sent in self._asked:
            self._asked.remove(sent)

    def answered(self, sent: float, now: float) -> bool:
        """The ping of ``sent`` was answered; whether what follows is fresh again."""
        if sent not in self._asked:
            return False
        # The stream keeps its order: this one is an answer to those before, too.
        self._asked = [other for other in self._asked if other > sent]
        if not self.is_stale or now - sent > LIMIT:
            return False
        self.is_stale = False
        return True

    @property
    def is_asked(self) -> bool:
        """Whether a ping is under way whose answer could prove something."""
        return bool(self._asked)
