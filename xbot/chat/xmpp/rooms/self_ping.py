"""Still there? A room that was silent for long is asked whether we are in it (XEP-0410)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from xbot.chat.backoff import Backoff
from xbot.chat.xmpp.stream.iq import IqRefused, IqTimeout
from xbot.chat.xmpp.stream.stream_timer import GRACE, StreamTimer

#: Seconds until a question that could not be put, or was answered oddly, is put again.
AGAIN = 5.0

#: Seconds until the first and the later new questions to a room that did not answer.
FIRST_AGAIN, LAST_AGAIN = 15.0, 300.0

Ask = Callable[[str], Deferred[Any]]
"""Pings the occupant with that full JID; fires or fails as ``Iq.request`` does."""


class Standing(Enum):
    """What an answer says about our being in the room."""

    INSIDE = "we are in the room"
    OUTSIDE = "we are not in the room"
    UNDECIDED = "nobody can tell"
    RENAMED = "we are in, but not under this nick"


#: XEP-0410 3.2; any other error says that we are outside.
_ERRORS = {
    "service-unavailable": Standing.INSIDE,
    "feature-not-implemented": Standing.INSIDE,
    "item-not-found": Standing.RENAMED,
    "remote-server-not-found": Standing.UNDECIDED,
    "remote-server-timeout": Standing.UNDECIDED,
}


def judge(answer: object) -> Standing | None:
    """What the outcome of a self-ping says; None when it was no answer of the room's."""
    if not isinstance(answer, Failure):
        return Standing.INSIDE
    if isinstance(answer.value, IqRefused):
        return _ERRORS.get(answer.value.condition, Standing.OUTSIDE)
    return Standing.UNDECIDED if answer.check(IqTimeout) else None


class SelfPing:
    """Watches over the silence of one room, from :meth:`start` to :meth:`stop`.

    After ``interval()`` seconds of it, or up to half as many more, by chance, so
    that a thousand rooms do not ask together, the room is asked. ``found`` is
    told what the answer says, never RENAMED. After UNDECIDED it asks again,
    ever later. ``address`` gives our full JID in the room, or None while we
    change our nick.
    """

    def __init__(
        self,
        ask: Ask,
        address: Callable[[], str | None],
        found: Callable[[Standing, str], None],
        clock: Any,
        alarm: StreamTimer,
        uniform: Callable[[float, float], float],
        interval: Callable[[], float],
    ) -> None:
        self._ask = ask
        self._address = address
        self._found = found
        self._clock = clock
        self._alarm = alarm
        self._uniform = uniform
        self._interval = interval
        self._backoff = Backoff(FIRST_AGAIN, LAST_AGAIN, uniform)
        self._question: Deferred[Any] | None = None
        self._was_renamed = False
        # What a room says is often the only thing that is done with it.
        self._seconds = clock.seconds
        self.heard_at = clock.seconds()

    @property
    def next_try(self) -> float | None:
        """When the room will be asked, if it stays silent."""
        return self._alarm.at

    def start(self) -> None:
        """We are in the room, and it spoke just now."""
        self._got_life()

    def stop(self) -> None:
        """We are not in the room: nothing is asked, and no answer waited for."""
        self._alarm.stop()
        self._drop_question()

    def heard(self) -> None:
        """The room spoke: a message, or a presence."""
        # Called for every stanza: the alarm is looked after when it rings.
        self.heard_at = self._seconds()

    def doubt(self) -> None:
        """Something says that we may be outside: ask soon, silent or not."""
        soon = self._clock.seconds() + AGAIN
        if self._alarm.at is not None and self._alarm.at > soon:
            self._alarm.set(AGAIN, self._put_question)

    def resumed(self) -> None:
        """There is a stream again; what was asked on the other one may have been lost."""
        if self._question is None:
            self._alarm.resumed()
        else:
            self._drop_question()
            self._alarm.set(GRACE, self._put_question)

    def _got_life(self) -> None:
        self.heard()
        self._was_renamed = False
        self._backoff.reset()
        self._wait()

    def _wait(self) -> None:
        patience = self._uniform(self._interval(), 1.5 * self._interval())
        self._alarm.set(max(0.0, self.heard_at + patience - self._clock.seconds()), self._look)

    def _look(self) -> None:
        if self._clock.seconds() - self.heard_at < self._interval():
            self._wait()
        else:
            self._put_question()

    def _put_question(self) -> None:
        address = self._address()
        if address is None:
            # XEP-0410 4: not before the service has answered a change of nick.
            self._alarm.set(AGAIN, self._put_question)
            return
        asked_at = self._clock.seconds()
        self._question = self._ask(address)
        self._question.addBoth(self._got_answer, address, asked_at)

    def _got_answer(self, answer: object, address: str, asked_at: float) -> None:
        if isinstance(answer, Failure) and answer.check(CancelledError):
            return
        self._question = None
        standing = judge(answer)
        if standing is None or (standing is Standing.UNDECIDED and not self._alarm.is_connected):
            # Nobody was asked, or nobody could answer: the connection is going, or down.
            self._alarm.set(AGAIN, self._put_question)
            return
        is_alive = self.heard_at > asked_at
        if standing is Standing.RENAMED:
            standing = self._was_it_renamed(address, is_alive)
        elif standing is Standing.UNDECIDED and is_alive:
            standing = Standing.INSIDE
        if standing is Standing.RENAMED:
            self._alarm.set(AGAIN, self._put_question)
            return
        if standing is Standing.INSIDE:
            self._got_life()
        elif standing is Standing.UNDECIDED:
            self._alarm.set(self._backoff.next_delay(), self._put_question)
        said = answer.getErrorMessage() if isinstance(answer, Failure) else "it answers"
        self._found(standing, said)

    def _was_it_renamed(self, address: str, is_alive: bool) -> Standing:
        """Each new nick of ours is told to us. Where none was, the room may not know us at all.

        A service that has forgotten the room gives the same answer; so the
        second one in a row counts as that.
        """
        if is_alive or address != self._address():
            return Standing.INSIDE
        if self._was_renamed:
            return Standing.OUTSIDE
        self._was_renamed = True
        return Standing.RENAMED

    def _drop_question(self) -> None:
        question, self._question = self._question, None
        if question is not None:
            question.cancel()
