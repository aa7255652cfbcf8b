"""XMPP Ping, both ways: the server is asked whether it lives, and so are we (XEP-0199).

The same pings prove that what is read is fresh (:mod:`~xbot.chat.xmpp.stream.freshness`).
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

#: Seconds by which the end of a wait may be late. If it is later, nobody looked meanwhile.
MAX_LAG = 1.0


class Ping(Handler):
    """Pings the server every ``interval`` seconds of a session.

    No answer within ``timeout`` seconds, and the connection is dead: it is
    aborted. Any answer is life, even an error (XEP-0199, section 4.2).
    ``round_trip`` is the last one's, in seconds. By ``deadline`` there was an
    answer, or the session is over.

    ``freshness`` is told of the pings; while it is stale, one is under way. ``look`` gives
    the time of its clock, and finds out before whether the process stood still.
    ``got_fresh`` is called when what is read is fresh again.
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
        self.round_trip: float | None = None
        self.deadline: float | None = None

    def connectionInitialized(self) -> None:
        self._call = self._clock.callLater(self._interval, self._ask_again)

    def observe(self) -> None:
        # On a stream that goes on with a session too: what was asked is asked again.
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
        """From now on with other times."""
        self._interval = interval
        self._timeout = timeout
        if self._call is not None:
            self._call.reset(interval)
            self._set_deadline()

    def got_data(self) -> None:
        """Something was read, and is about to be dealt with: how old may it be?"""
        stuck = self._freshness.stuck_for(self._look())
        if stuck:
            self._log.warn(
                "the link was stuck for {seconds:.0f} s; what was said meanwhile is not obeyed",
                seconds=stuck,
            )
            self._prove()

    def woke(self, away: float) -> None:
        """The process stood still for ``away`` seconds."""
        self._freshness.woke()
        self._log.warn(
            "was away for {seconds:.0f} s; what was said meanwhile is not obeyed", seconds=away
        )
        self._prove()

    def ask(self) -> Deferred[float]:
        """Ping the server now; fires with the seconds until its answer, whatever it was.

        Fails with :class:`~xbot.chat.xmpp.stream.iq.IqTimeout`, or with what ended the connection.
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
                # It took too long itself.
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
        """Have the server show that what follows is fresh; without a session, the next one does."""
        if self.xmlstream is not None:
            self._set_deadline()
            self._ask_or_end()

    def _ask_or_end(self, *, is_again: bool = False) -> None:
        stream, due = self.xmlstream, self._clock.seconds() + self._timeout

        def got_silence(failure: Failure) -> None:
            failure.trap(IqTimeout)
            if stream is None:
                return
            if not is_again and self._clock.seconds() - due > MAX_LAG:
                # We stood still: the answer may be there, and wait to be read.
                self._look()
                if not self._freshness.is_asked:
                    self._set_deadline()
                    self._ask_or_end(is_again=True)
                return
            stream.end(
                PingTimeout(f"the server did not answer a ping within {self._timeout:g} s"),
                abort=True,
            )

        answer = self.ask().addErrback(got_silence)
        # What else can fail it is the end of the connection, which others tell.
        answer.addErrback(lambda _: None)
