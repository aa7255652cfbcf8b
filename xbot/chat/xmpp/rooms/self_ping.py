"""MUC self-ping: after long silence, check that we are still in the room (XEP-0410)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from xbot.chat.backoff import Backoff
from xbot.chat.xmpp.stream.iq import IqRefused, IqTimeout
from xbot.chat.xmpp.stream.stream_timer import GRACE, StreamTimer

#: Seconds until a ping that could not be sent, or had no clear answer, is sent again.
RETRY_DELAY = 5.0

#: Back-off after a ping without an answer: first and longest delay, in seconds.
FIRST_BACKOFF, LONGEST_BACKOFF = 15.0, 300.0

Ask = Callable[[str], Deferred[Any]]
"""Pings the occupant with that full JID; fires or fails as ``Iq.request`` does."""


class Standing(Enum):
    """Result of a self-ping: whether we are in the room."""

    INSIDE = "we are in the room"
    OUTSIDE = "we are not in the room"
    UNDECIDED = "the outcome does not tell"
    RENAMED = "we are in, but not under this nick"


#: XEP-0410 3.2; any other error means that we are outside.
_ERRORS = {
    "service-unavailable": Standing.INSIDE,
    "feature-not-implemented": Standing.INSIDE,
    "item-not-found": Standing.RENAMED,
    "remote-server-not-found": Standing.UNDECIDED,
    "remote-server-timeout": Standing.UNDECIDED,
}


def judge(answer: object) -> Standing | None:
    """Map the outcome of a self-ping to a Standing; None when the room did not answer it."""
    if not isinstance(answer, Failure):
        return Standing.INSIDE
    if isinstance(answer.value, IqRefused):
        return _ERRORS.get(answer.value.condition, Standing.OUTSIDE)
    return Standing.UNDECIDED if answer.check(IqTimeout) else None


class SelfPing:
    """Idle timer with self-ping for one room, active from :meth:`start` to :meth:`stop`.

    It sends a ping after ``interval()`` to 1.5 times ``interval()`` seconds of silence;
    the jitter keeps a thousand rooms from pinging together. ``found(standing, reason)``
    gets the result, never RENAMED. After UNDECIDED it pings again, with back-off.
    ``address()`` is our full JID in the room, or None while we change our nick.
    """

    def __init__(
        self,
        ask: Ask,
        address: Callable[[], str | None],
        found: Callable[[Standing, str], None],
        clock: Any,
        timer: StreamTimer,
        uniform: Callable[[float, float], float],
        interval: Callable[[], float],
    ) -> None:
        self._ask = ask
        self._address = address
        self._found = found
        self._clock = clock
        self._timer = timer
        self._uniform = uniform
        self._interval = interval
        self._backoff = Backoff(FIRST_BACKOFF, LONGEST_BACKOFF, uniform)
        self._ping: Deferred[Any] | None = None
        self._was_renamed = False
        # Looked up once: heard() runs for every stanza.
        self._seconds = clock.seconds
        self.heard_at = clock.seconds()

    @property
    def next_try(self) -> float | None:
        """When the next ping is due if the room stays silent (clock seconds), or None."""
        return self._timer.at

    def start(self) -> None:
        """Start: we are in the room, and it was heard just now."""
        self._restart()

    def stop(self) -> None:
        """Stop: we are not in the room. Cancels the timer and a ping in flight."""
        self._timer.stop()
        self._cancel_ping()

    def heard(self) -> None:
        """Note that a message or a presence came from the room."""
        # Called for every stanza, so the timer is not reset here: it checks when it fires.
        self.heard_at = self._seconds()

    def doubt(self) -> None:
        """Ping soon, silent or not, because something suggests that we are outside."""
        soon = self._clock.seconds() + RETRY_DELAY
        if self._timer.at is not None and self._timer.at > soon:
            self._timer.set(RETRY_DELAY, self._send_ping)

    def resumed(self) -> None:
        """The session was resumed: a ping sent on the old stream may be lost, so send it again."""
        if self._ping is None:
            self._timer.resumed()
        else:
            self._cancel_ping()
            self._timer.set(GRACE, self._send_ping)

    def _restart(self) -> None:
        self.heard()
        self._was_renamed = False
        self._backoff.reset()
        self._wait()

    def _wait(self) -> None:
        delay = self._uniform(self._interval(), 1.5 * self._interval())
        self._timer.set(
            max(0.0, self.heard_at + delay - self._clock.seconds()), self._check_silence
        )

    def _check_silence(self) -> None:
        if self._clock.seconds() - self.heard_at < self._interval():
            self._wait()
        else:
            self._send_ping()

    def _send_ping(self) -> None:
        address = self._address()
        if address is None:
            # XEP-0410 4: no ping until the service has answered a change of nick.
            self._timer.set(RETRY_DELAY, self._send_ping)
            return
        asked_at = self._clock.seconds()
        self._ping = self._ask(address)
        self._ping.addBoth(self._got_answer, address, asked_at)

    def _got_answer(self, answer: object, address: str, asked_at: float) -> None:
        if isinstance(answer, Failure) and answer.check(CancelledError):
            return
        self._ping = None
        standing = judge(answer)
        if standing is None or (standing is Standing.UNDECIDED and not self._timer.is_connected):
            # The connection is closing or down: the ping was not sent or not answered.
            self._timer.set(RETRY_DELAY, self._send_ping)
            return
        is_alive = self.heard_at > asked_at
        if standing is Standing.RENAMED:
            standing = self._judge_renamed(address, is_alive)
        elif standing is Standing.UNDECIDED and is_alive:
            standing = Standing.INSIDE
        if standing is Standing.RENAMED:
            self._timer.set(RETRY_DELAY, self._send_ping)
            return
        if standing is Standing.INSIDE:
            self._restart()
        elif standing is Standing.UNDECIDED:
            self._timer.set(self._backoff.next_delay(), self._send_ping)
        said = answer.getErrorMessage() if isinstance(answer, Failure) else "it answers"
        self._found(standing, said)

    def _judge_renamed(self, address: str, is_alive: bool) -> Standing:
        """What "item-not-found" means: our nick has changed, or the service forgot the room.

        A change of nick is announced to us. Where none was, the second such answer
        in a row counts as OUTSIDE.
        """
        if is_alive or address != self._address():
            return Standing.INSIDE
        if self._was_renamed:
            return Standing.OUTSIDE
        self._was_renamed = True
        return Standing.RENAMED

    def _cancel_ping(self) -> None:
        ping, self._ping = self._ping, None
        if ping is not None:
            ping.cancel()
