"""State machine of the connection: connect, log in, stay online, reconnect, or give up."""

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
from xbot.text.durations import shown

FIRST_RETRY, LAST_RETRY = 1.0, 300.0

#: Delay after refused logins of an account that has worked: many servers count failures.
RARE_RETRY = 600.0

#: Seconds online after which the back-off is reset. They count from the login: counted
#: from the TCP connection, a server that accepts and closes would be retried once a
#: second for ever.
STABLE = 60.0

#: Time-out in seconds for the look-up and all targets together.
CONNECT_TIMEOUT = 60.0


class State(Enum):
    """State of the connection. ``FAILED`` is final: an operator must act."""

    STOPPED = "stopped"
    WAITING = "waiting"
    CONNECTING = "connecting"
    NEGOTIATING = "negotiating"
    ONLINE = "online"
    CLOSING = "closing"
    FAILED = "failed"


#: Maximum duration of each state that depends on the network, in seconds.
_LONGEST = {
    State.CONNECTING: CONNECT_TIMEOUT,
    State.NEGOTIATING: NEGOTIATION_TIMEOUT + CLOSE_TIMEOUT,
    State.CLOSING: CLOSE_TIMEOUT,
}


#: Default ``kind`` of a problem without one, by the state in which it happened.
_KINDS = {State.CONNECTING: "unreachable", State.NEGOTIATING: "login-broken"}


class Status(NamedTuple):
    """Snapshot of the connection's state; times are the clock's seconds."""

    state: State
    since: float
    last_error: str | None = None
    next_try: float | None = None


class Connection:
    """Keeps one stream connected, with retries and back-off.

    ``ReconnectPolicy`` decides what follows the end of a stream: ``FAILED``, after
    which ``gave_up(problem)`` is called once, or ``WAITING`` for the next try. The
    delay is 0 for the first loss of a session, otherwise 1 s to 5 min, doubling, with
    jitter; 60 s online reset it.
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
        has_worked: Callable[[], bool] = lambda: False,
    ) -> None:
        self._endpoint = endpoint
        self._factory = factory
        self._clock = clock
        self._gave_up = gave_up
        self._backoff = Backoff(FIRST_RETRY, longest_wait, uniform)
        self._take_other_resource = take_other_resource
        self._policy = ReconnectPolicy(has_worked)
        self._may_retry_at_once = True
        self._stream: Stream | None = None
        self._attempt: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None
        self._stopping: list[Deferred[None]] = []
        self.status = Status(State.STOPPED, clock.seconds())
        self.changed: Callable[[Status], object] = lambda status: None
        self.ends: Counter[str] = Counter()
        #: How many of these ends ended a session; the others are tries that failed.
        self.lost = 0
        factory.addBootstrap(STREAM_CONNECTED_EVENT, self._got_stream)
        factory.addBootstrap(STREAM_AUTHD_EVENT, self._got_session)
        factory.addBootstrap(STREAM_END_EVENT, self._got_end)

    @property
    def stream(self) -> Stream | None:
        """The stream while it is online (logged in), else None."""
        return self._stream if self.status.state is State.ONLINE else None

    @property
    def deadline(self) -> float | None:
        """Latest time at which this state ends (clock seconds); None for states without limit."""
        status = self.status
        if status.state is State.WAITING:
            return status.next_try
        longest = _LONGEST.get(status.state)
        return None if longest is None else status.since + longest

    def change(self, longest_wait: float) -> None:
        """Set the maximum delay between two tries, in seconds."""
        self._backoff.most = longest_wait

    def start(self) -> None:
        """Connect, and reconnect until :meth:`stop`."""
        if self.status.state is State.STOPPED:
            self._try()

    def stop(self) -> Deferred[None]:
        """Close the stream and stop retrying; fires when the stream is closed."""
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
        self._timer = self._clock.callLater(CONNECT_TIMEOUT, self._connect_timed_out)
        attempt = self._endpoint.connect(self._factory)
        self._attempt = attempt
        attempt.addBoth(self._attempted)
        attempt.addErrback(self._not_connected)
        attempt.addErrback(lambda failure: self._log.failure("connecting failed", failure))

    def _connect_timed_out(self) -> None:
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
            # The endpoint connected although its attempt was cancelled.
            stream.end(ConnectionProblem("connected after the time-out"), abort=True)
            return
        self._stream = stream
        self._become(State.NEGOTIATING)

    def _got_session(self, stream: Stream) -> None:
        self._policy.got_session()
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
            self._may_retry_at_once = True
        self.ends[problem.kind or _KINDS.get(self.status.state, "lost")] += 1
        self.lost += was_online
        verdict = self._policy.judge(problem)
        if verdict is Verdict.GIVE_UP:
            self._give_up(problem)
            return
        if verdict is Verdict.OTHER_RESOURCE:
            self._log.warn("another program took our resource; taking another one")
            self._take_other_resource()
        elif verdict is Verdict.REDIRECT and self._follow(problem):
            return
        # Retry a broken connection at once: the cause is mostly over by now. Only once, or
        # one that always breaks would be retried without pause. Not after a stream error
        # or a protocol violation: the server would do the same again.
        broke = not isinstance(problem, StreamError | ProtocolViolation)
        at_once = was_online and broke and self._may_retry_at_once
        self._may_retry_at_once = False
        delay = 0.0 if at_once else self._backoff.next_delay()
        if verdict is Verdict.RETRY_RARELY:
            delay = max(delay, RARE_RETRY)
            self._log.error(
                "the server refuses a login that has worked before: a person has to look, if this"
                " lasts"
            )
        self._log.warn(
            "no connection: {problem}; next try in {delay}",
            problem=str(problem),
            delay=shown(delay),
        )
        self._become(State.WAITING, problem, next_try=self._clock.seconds() + delay)
        self._timer = self._clock.callLater(delay, self._try)

    def _follow(self, problem: ConnectionProblem) -> bool:
        """Follow a redirect at once; False if it is not followed."""
        assert isinstance(problem, StreamError)
        try:
            redirect = self._endpoint.redirect(problem.detail)
        except ProtocolViolation as violation:
            self._log.warn("redirect not followed: {violation}", violation=str(violation))
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
