"""XMPP Ping, both ways: the server is asked whether it lives, and so are we (XEP-0199)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.words.xish import domish

from xbot.xmpp import ns
from xbot.xmpp.handlers import Handler
from xbot.xmpp.iq import Iq, IqRefused, IqTimeout
from xbot.xmpp.problems import PingTimeout


class Ping(Handler):
    """Pings the server every ``interval`` seconds of a session.

    No answer within ``timeout`` seconds, and the connection is dead: it is
    aborted. Any answer is life, even an error (XEP-0199, section 4.2).
    ``round_trip`` is the last one's, in seconds. By ``deadline`` there was an
    answer, or the session is over.
    """

    def __init__(self, iq: Iq, domain: str, clock: Any, *, interval: float, timeout: float) -> None:
        super().__init__()
        self._iq = iq
        self._domain = domain
        self._clock = clock
        self._interval = interval
        self._timeout = timeout
        self._call: IDelayedCall | None = None
        self.round_trip: float | None = None
        self.deadline: float | None = None
        iq.answer("get", ns.PING, "ping", lambda request: None)

    def connectionInitialized(self) -> None:
        self._call = self._clock.callLater(self._interval, self._ask_again)

    def observe(self) -> None:
        # On a stream that goes on with a session too: what was asked is asked again.
        self._set_deadline()

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

    def ask(self) -> Deferred[float]:
        """Ping the server now; fires with the seconds until its answer, whatever it was.

        Fails with :class:`~xbot.xmpp.iq.IqTimeout`, or with what ended the connection.
        """
        sent = self._clock.seconds()
        answer: Deferred[Any] = self._iq.request(
            "get", self._domain, domish.Element((ns.PING, "ping")), self._timeout
        )

        def got_answer(result: domish.Element | Failure) -> float:
            if isinstance(result, Failure):
                result.trap(IqRefused)
            round_trip: float = self._clock.seconds() - sent
            self.round_trip = round_trip
            self._set_deadline()
            return round_trip

        return answer.addBoth(got_answer)

    def _set_deadline(self) -> None:
        self.deadline = self._clock.seconds() + self._interval + self._timeout

    def _ask_again(self) -> None:
        self._call = self._clock.callLater(self._interval, self._ask_again)
        stream = self.xmlstream

        def got_silence(failure: Failure) -> None:
            failure.trap(IqTimeout)
            if stream is None:
                return
            stream.end(
                PingTimeout(f"the server did not answer a ping within {self._timeout:g} s"),
                abort=True,
            )

        answer = self.ask().addErrback(got_silence)
        # What else can fail it is the end of the connection, which others tell.
        answer.addErrback(lambda _: None)
