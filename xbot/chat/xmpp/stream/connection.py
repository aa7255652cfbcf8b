"""The connection's life as one machine: try, log in, stay, come back, or give up with a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.words.protocols.jabber.xmlstream import STREAM_AUTHD_EVENT
from twisted.words.xish.xmlstream import STREAM_CONNECTED_EVENT, STREAM_END_EVENT

from xbot.chat.backoff import Backoff
from xbot.chat.xmpp.stream.login import NEGOTIATION_TIMEOUT
from xbot.chat.xmpp.stream.reconnect_policy import ReconnectPolicy, ResourceConflict, Verdict
from xbot.chat.xmpp.stream.redirect import RedirectableEndpoint
from xbot.chat.xmpp.stream.stream import CLOSE_TIMEOUT, Stream, StreamFactory
from xbot.chat.xmpp.wire.errors import ConnectionProblem, ProtocolViolation, StreamError, in_words

FIRST_RETRY, LAST_RETRY = 1.0, 300.0

#: Seconds logged in after which the next loss counts as the first again. To
#: count from the TCP connection would let a server that accepts and closes be
#: tried once a second for ever.
STABLE = 60.0

#: Seconds for the look-up and all targets.
CONNECT_TIMEOUT = 60.0


class State(Enum):
    """Where the connection is. ``FAILED`` is final: somebody must change something."""

    STOPPED = "stopped"
    WAITING = "waiting"
    CONNECTING = "connecting"
    NEGOTIATING = "negotiating"
    ONLINE = "online"
    CLOSING = "closing"
    FAILED = "failed"


#: Seconds after which a state that waits for others has ended by itself.
_LONGEST = {
    State.CONNECTING: CONNECT_TIMEOUT,
    State.NEGOTIATING: NEGOTIATION_TIMEOUT + CLOSE_TIMEOUT,
    State.CLOSING: CLOSE_TIMEOUT,
}


#: What the end of a connection is called where the problem has no name of its own.
_KINDS = {State.CONNECTING: "unreachable", State.NEGOTIATING: "login-broken"}


class Status(NamedTuple):
    """What can be read at any time; times are the clock's seconds."""

    state: State
    since: float
    last_error: str | None = None
    next_try: float | None = None


class Connection:
    """Keeps one stream up. ``gave_up(problem)`` is called at most once, when it cannot.

    What ended a stream is judged by ``ReconnectPolicy``: to
    give up leads to ``FAILED``, all else to ``WAITING``: not at all when a
    session is lost, else for 1 s to 5 min, doubling, jittered; and from the
    beginning after 60 s online.
    """

    _log = Logger("xbot.chat.xmpp")

    def __init__(
        self,
        endpoint: RedirectableEndpoint,
        factory: StreamFactory,
        clock: Any,
        uniform: Callable[[float, float], float],
        gave_up: Callable[[ConnectionProblem], None],
        take_other_resource: Callable[[], None] = lambda: None,
        longest_wait: float = LAST_RETRY,
    ) -> None:
        self._endpoint = endpoint
        self._factory = factory
        self._clock = clock
        self._gave_up = gave_up
        self._backoff = Backoff(FIRST_RETRY, longest_wait, uniform)
        self._take_other_resource = take_other_resource
        self._verdicts = ReconnectPolicy()
        self._may_return_at_once = True
        self._stream: Stream | None = None
        self._attempt: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None
        self._stopping: list[Deferred[None]] = []
        self.status = Status(State.STOPPED, clock.seconds())
        self.changed: Callable[[Status], object] = lambda status: None
        self.ends: Counter[str] = Counter()
        factory.addBootstrap(STREAM_CONNECTED_EVENT, self._got_stream)
        factory.addBootstrap(STREAM_AUTHD_EVENT, self._got_session)
        factory.addBootstrap(STREAM_END_EVENT, self._got_end)

    @property
    def stream(self) -> Stream | None:
        """The stream while somebody is logged in on it."""
        return self._stream if self.status.state is State.ONLINE else None

    @property
    def deadline(self) -> float | None:
        """By when another state follows, whatever others do; None for those that may stay."""
        status = self.status
        if status.state is State.WAITING:
            return status.next_try
        longest = _LONGEST.get(status.state)
        return None if longest is None else status.since + longest

    def change(self, longest_wait: float) -> None:
        """From now on wait no longer than so between two tries."""
        self._backoff.most = longest_wait

    def start(self) -> None:
        """Connect, and stay connected."""
        if self.status.state is State.STOPPED:
            self._try()

    def stop(self) -> Deferred[None]:
        """Close what is open and try no more; fires when it is closed."""
        if self.status.state is not State.FAILED:
            self._become(State.CLOSING)
        if self._attempt is not None:
            self._attempt.cancel()
        if self._stream is None:
            self._stopped()
            return succeed(None)
        closed: Deferred[None] = Deferred()
        self._stopping.append(closed)
        self._stream.end(ConnectionProblem("we are leaving"))
        return closed

    def _try(self) -> None:
        self._become(State.CONNECTING)
        self._timer = self._clock.callLater(CONNECT_TIMEOUT, self._give_up_connecting)
        attempt = self._endpoint.connect(self._factory)
        self._attempt = attempt
        attempt.addBoth(self._attempted)
        attempt.addErrback(self._not_connected)
        attempt.addErrback(lambda failure: self._log.failure("connecting failed", failure))

    def _give_up_connecting(self) -> None:
        self._timer = None
        if self._attempt is not None:
            self._attempt.cancel()

    def _attempted(self, result: Any) -> Any:
        self._attempt = None
        return result

    def _not_connected(self, failure: Failure) -> None:
        error = failure.value
        if self.status.state is State.CLOSING:
            return
        if isinstance(error, (CancelledError, ConnectingCancelledError)):
            error = ConnectionProblem(f"no connection within {CONNECT_TIMEOUT:g} s")
        elif not isinstance(error, ConnectionProblem):
            error = ConnectionProblem(in_words(error))
        self._ended(error)

    def _got_stream(self, stream: Stream) -> None:
        if self.status.state is not State.CONNECTING:
            # An endpoint that did not notice that we gave it up.
            stream.end(ConnectionProblem("nobody waits for this connection"), abort=True)
            return
        self._stream = stream
        self._become(State.NEGOTIATING)

    def _got_session(self, stream: Stream) -> None:
        self._verdicts.got_session()
        self._endpoint.got_login()
        self._become(State.ONLINE)

    def _got_end(self, reason: Failure) -> None:
        if self._stream is None:
            return
        self._stream = None
        if self.status.state is State.CLOSING:
            self._stopped()
            return
        assert isinstance(reason.value, ConnectionProblem)
        self._ended(reason.value)

    def _ended(self, problem: ConnectionProblem) -> None:
        was_online = self.status.state is State.ONLINE
        if was_online and self._clock.seconds() - self.status.since >= STABLE:
            self._backoff.reset()
            self._may_return_at_once = True
        self.ends[problem.kind or _KINDS.get(self.status.state, "lost")] += 1
        verdict = self._verdicts.judge(problem)
        if verdict is Verdict.GIVE_UP:
            self._give_up(problem)
            return
        if verdict is Verdict.OTHER_RESOURCE:
            self._log.warn("another program took our resource; taking another one")
            self._take_other_resource()
        elif verdict is Verdict.REDIRECT and self._follow(problem):
            return
        # A connection that broke did so for reasons that mostly are over by now. Once:
        # one that breaks each time must not be tried without end. A server that
        # had something against us, or sent nonsense, has it still.
        broke = not isinstance(problem, StreamError | ProtocolViolation)
        at_once = was_online and broke and self._may_return_at_once
        self._may_return_at_once = False
        delay = 0.0 if at_once else self._backoff.next_delay()
        self._log.warn(
            "no connection: {problem}; next try in {delay:.1f} s",
            problem=str(problem),
            delay=delay,
        )
        self._become(State.WAITING, problem, next_try=self._clock.seconds() + delay)
        self._timer = self._clock.callLater(delay, self._try)

    def _follow(self, problem: ConnectionProblem) -> bool:
        """Whether we went where the server sent us, without waiting."""
        assert isinstance(problem, StreamError)
        try:
            redirect = self._endpoint.redirect(problem.detail)
        except ProtocolViolation as violation:
            self._log.warn("not followed: {violation}", violation=str(violation))
            return False
        self._log.info("the server sends us to {host}", host=redirect.host)
        self._become(State.WAITING, problem)
        self._try()
        return True

    def _give_up(self, problem: ConnectionProblem) -> None:
        if isinstance(problem, StreamError) and problem.condition == "conflict":
            problem = ResourceConflict(
                "another program keeps logging in to our account under our resource;"
                " give each program an account or a resource of its own"
            )
        self._log.error("giving up: {problem}", problem=str(problem))
        self._become(State.FAILED, problem)
        self._gave_up(problem)

    def _stopped(self) -> None:
        if self.status.state is State.CLOSING:
            self._become(State.STOPPED)
        stopping, self._stopping = self._stopping, []
        for closed in stopping:
            closed.callback(None)

    def _become(
        self,
        state: State,
        problem: ConnectionProblem | None = None,
        next_try: float | None = None,
    ) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        last_error = str(problem) if problem is not None else self.status.last_error
        self.status = Status(state, self._clock.seconds(), last_error, next_try)
        self.changed(self.status)
