"""Congestion control of joins: no more of them wait in the server's input than it reads soon.

A server that limits our rate (Prosody's ``limits``, ejabberd's ``shaper``) reads what we
write in order. The joins of a thousand rooms at once would be half a minute ahead of the
keep-alive ping, and of every answer.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from xbot.chat.xmpp.rooms.join_queue import JoinQueue
from xbot.chat.xmpp.stream.iq import IqRefused, IqTimeout

#: Joins of one batch: first and maximum number. The first rooms may be crowded; and a server
#: may read fast at first (ejabberd's ``burst_size``), and then 3 kB/s: the maximum, with the
#: configuration of new rooms, takes it about 3 s.
FIRST, MOST = 4, 25

#: Seconds in which the server shall have handled a batch.
TARGET = 0.25

#: Seconds until the next ping after one that could not be sent.
RETRY = 1.0


class JoinPace:
    """Lets joins leave in batches, each once the server has read the one before.

    All services share one stream, so they take turns. Behind each batch, if more joins
    wait, goes a ping: ``ping_server()``, a Deferred that fires with the answer. The answer
    proves that the batch was read. Where the rooms are on the same server it comes behind
    their occupants, too. Its delay, less the shortest so far, is how long the batch took,
    and sets the size of the next one: :data:`TARGET` seconds, at most twice the last one.
    If they took long, or there was no answer, the next join goes alone.

    While ``is_connected()`` is false, nothing leaves; see :meth:`resumed`.
    """

    def __init__(
        self,
        ping_server: Callable[[], Deferred[Any]],
        clock: Any,
        is_connected: Callable[[], bool] = lambda: True,
    ) -> None:
        self._ping_server = ping_server
        self._clock = clock
        self._is_connected = is_connected
        self._queues: defaultdict[str, JoinQueue] = defaultdict(lambda: JoinQueue(pace=self.allows))
        # FIFO of the queues that have a join which may leave.
        self._ready: OrderedDict[JoinQueue, None] = OrderedDict()
        self._ping: Deferred[Any] | None = None
        self._again: IDelayedCall | None = None
        self._reset()

    def queue(self, service: str) -> JoinQueue:
        """The queue of the rooms at that service."""
        return self._queues[service]

    def clear(self) -> None:
        """The session ended: forget all joins, and what was measured."""
        for queue in self._queues.values():
            queue.clear()
        self._ready.clear()
        self._forget_ping()
        self._reset()

    def resumed(self) -> None:
        """The session was resumed: joins may leave again."""
        self._forget_ping()
        self._let_go()

    def allows(self, queue: JoinQueue) -> bool:
        """Whether ``queue`` may start a join now; if not, it is called at its turn."""
        if self._credit and not self._ready and self._is_connected():
            self._credit -= 1
            return True
        self._ready[queue] = None
        self._ask()
        return False

    def _reset(self) -> None:
        self._limit = self._credit = FIRST
        self._shortest: float | None = None

    def _forget_ping(self) -> None:
        self._ping = None
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def _ask_again(self) -> None:
        self._again = None
        self._ask()

    def _let_go(self) -> None:
        """Start joins, one of each service in turn."""
        while self._credit and self._ready and self._is_connected():
            queue, _ = self._ready.popitem(last=False)
            if queue.has_next:
                self._credit -= 1
                queue.start_one()
                if queue.has_next:
                    self._ready[queue] = None
        if self._ready:
            self._ask()

    def _ask(self) -> None:
        is_asked = self._ping is not None or self._again is not None
        if is_asked or self._credit or not self._is_connected():
            return
        asked_at = self._clock.seconds()
        ping = self._ping = self._ping_server()

        def got_answer(answer: object) -> None:
            # Not one of the last session, or of before the resumption.
            if ping is not self._ping:
                return
            self._ping = None
            if not isinstance(answer, Failure) or answer.check(IqRefused):
                self._adapt(self._clock.seconds() - asked_at)
            elif answer.check(IqTimeout):
                self._limit = 1
            else:
                # No connection, and its end or a resumption follows; or too many requests.
                self._again = self._clock.callLater(RETRY, self._ask_again)
                return
            self._credit = self._limit
            self._let_go()

        ping.addBoth(got_answer)

    def _adapt(self, delay: float) -> None:
        # The first one may be all work: if it is long, the next join alone shows what is not.
        took = delay if self._shortest is None else max(0.0, delay - self._shortest)
        self._shortest = delay if self._shortest is None else min(delay, self._shortest)
        factor = min(2.0, TARGET / took) if took else 2.0
        self._limit = min(MOST, max(1, round(self._limit * factor)))
