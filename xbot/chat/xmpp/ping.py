"""Keep-alive: ping the server, and abort the connection when it does not answer (XEP-0199).

The same pings prove that what is read is fresh (:mod:`~xbot.chat.xmpp.stream.freshness`).
Pings from others are answered in :mod:`~xbot.chat.xmpp.disco`.

COMPAT: wokkel's PingClientProtocol is not used. Its ids can be guessed, any sender may
answer, it has no time-out of its own, and all errors but one count as no answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.xish import domish

from xbot.chat.xmpp.stream.freshness import Freshness
from xbot.chat.xmpp.stream.handlers import Handler
from xbot.chat.xmpp.stream.iq import Iq, IqRefused, IqTimeout
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.errors import PingTimeout
from xbot.text.durations import shown

#: Maximum delay of a time-out in seconds. If it fires later, the process stood still.
MAX_LAG = 1.0

#: Maximum number of further pings while other stanzas arrive: a server that limits our rate
#: reads a ping behind all that we wrote before, such as the joins of a thousand rooms.
MAX_PATIENCE = 12


class Ping(Handler):
    """Pings the server every ``interval`` seconds of a session.

    Without an answer within ``timeout`` seconds, the connection is aborted, unless other
    data arrived in that time: then it is pinged again, :data:`MAX_PATIENCE` times at most.
    An error is an answer, too (XEP-0199, section 4.2). ``round_trip`` is the duration of the last
    ping, in seconds. By ``deadline`` (clock seconds) a ping was answered, or the session
    has ended.

    ``freshness`` is told of each ping; while it is stale, a ping is in flight. ``look``
    returns the time of its clock, and checks first whether the process stood still.
    ``got_fresh`` is called when the input is fresh again.
    """

    _log = Logger("xbot.chat.xmpp")

    def __init__(
        self,
        iq: Iq,
        domain: str,
        clock: Any,
        *,
        interval: float,
        timeout: float,
        freshness: Freshness | None = None,
        look: Callable[[], float] | None = None,
        got_fresh: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__()
        self._freshness = Freshness() if freshness is None else freshness
        self._look: Callable[[], float] = clock.seconds if look is None else look
        self._got_fresh = got_fresh
        self._iq = iq
        self._domain = domain
        self._clock = clock
        self._interval = interval
        self._timeout = timeout
        self._call: IDelayedCall | None = None
        #: When data of a session was read last. During a login it is still that of the old stream.
        self.heard_at = float("-inf")
        self.round_trip: float | None = None
        self.deadline: float | None = None

    def connectionInitialized(self) -> None:
        self._call = self._clock.callLater(self._interval, self._ask_again)

    def observe(self) -> None:
        # Also on a resumed session: a ping in flight was lost with the old stream.
        self._set_deadline()
        if self._freshness.is_stale:
            # The process stood still during the login.
            self._prove()

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self.deadline = None

    def change(self, interval: float, timeout: float) -> None:
        """Set another interval and time-out, in seconds."""
        self._interval = interval
        self._timeout = timeout
        if self._call is not None:
            self._call.reset(interval)
            self._set_deadline()

    def got_data(self) -> None:
        """Data was read and is not handled yet: ping if it may be old."""
        if self.xmlstream is not None:
            self.heard_at = self._clock.seconds()
        stuck = self._freshness.stuck_for(self._look())
        if stuck:
            self._log.warn(
                "the link was stuck for {span}; what was said meanwhile is not obeyed",
                span=shown(round(stuck)),
            )
            self._prove()

    def woke(self, away: float) -> None:
        """The process stood still for ``away`` seconds."""
        self._freshness.woke()
        self._log.warn(
            "was away for {span}; what was said meanwhile is not obeyed", span=shown(round(away))
        )
        self._prove()

    def ask(self) -> Deferred[float]:
        """Ping the server now; fires with the round-trip time in seconds.

        Fails with :class:`~xbot.chat.xmpp.stream.iq.IqTimeout`, or the problem that ended the
        connection.
        """
        began, sent = self._clock.seconds(), self._look()
        self._freshness.asked(sent)
        answer: Deferred[Any] = self._iq.request(
            "get", self._domain, domish.Element((ns.PING, "ping")), self._timeout
        )

        def got_answer(result: domish.Element | Failure) -> float:
            if isinstance(result, Failure) and not result.check(IqRefused):
                self._freshness.lost(sent)
                result.raiseException()
            round_trip: float = self._clock.seconds() - began
            self.round_trip = round_trip
            self._set_deadline()
            if self._freshness.answered(sent, self._look()):
                self._log.info("what is said from now on is obeyed again")
                self._got_fresh()
            elif self._freshness.is_stale and not self._freshness.is_asked:
                # This ping took too long to prove anything.
                self._prove()
            return round_trip

        return answer.addBoth(got_answer)

    def _set_deadline(self) -> None:
        self.deadline = self._clock.seconds() + self._interval + self._timeout

    def _ask_again(self) -> None:
        self._call = self._clock.callLater(self._interval, self._ask_again)
        self._look()
        if not (self._freshness.is_stale and self._freshness.is_asked):
            self._ask_or_end()

    def _prove(self) -> None:
        """Ping at once to prove that later input is fresh; without a session, do nothing."""
        if self.xmlstream is not None:
            self._set_deadline()
            self._ask_or_end()

    def _ask_or_end(self, *, is_again: bool = False, patience: int = MAX_PATIENCE) -> None:
        """Ping; without an answer in time ping again (suspend, busy link), or end the stream."""
        stream, due = self.xmlstream, self._clock.seconds() + self._timeout

        def got_silence(failure: Failure) -> None:
            failure.trap(IqTimeout)
            if stream is None:
                return
            if not is_again and self._clock.seconds() - due > MAX_LAG:
                # The process stood still: the answer may wait in the socket.
                self._look()
                if not self._freshness.is_asked:
                    self._set_deadline()
                    self._ask_or_end(is_again=True)
                return
            if patience and self._clock.seconds() - self.heard_at < self._timeout:
                self._set_deadline()
                self._ask_or_end(is_again=is_again, patience=patience - 1)
                return
            stream.end(
                PingTimeout(f"the server did not answer a ping within {shown(self._timeout)}"),
                abort=True,
            )

        answer = self.ask().addErrback(got_silence)
        # Any other failure is the end of the connection, which the Connection reports.
        answer.addErrback(lambda _: None)
