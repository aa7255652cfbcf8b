"""Patterns that may take for ever, run where that harms nobody: in a process that is ended.

The process is there once it is needed, and anew after it was ended:

::

          something is asked          it is ready             a text
  absent --------------------> starting ---------> idle <---------------> busy
    ^                             |                  |    all is answered   |
    |   it ended, or was killed   |                  |                      |
    +-----------------------------+------------------+----------------------+
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from xbot.matching.pattern import Pattern

#: Seconds of processor time that a text may take; the process keeps to it by itself.
LIMIT = 0.05

#: Seconds after which it is killed, if it did not: the machine may be busy.
PATIENCE = 1.0

#: Seconds more for an answer that is there, but was not read yet.
GRACE = 0.05

#: Seconds within which everybody has an answer, whatever becomes of the process.
MAX_WAIT = 10.0

#: Texts that wait at once, beyond the one that is searched.
MAX_WAITING = 32

#: A pattern that takes too long so often within so many seconds is not tried for as many more.
STRIKES = 3
MEMORY = 600.0
ASIDE = 300.0

#: Seconds before another process is started after one that never became ready.
PAUSE = 10.0

Groups = dict[str, str] | None


class Child(Protocol):
    """A process that runs :mod:`xbot.matching.child`."""

    def write(self, data: bytes) -> None:
        """Give it input."""

    def kill(self) -> None:
        """End it at once. More may be heard of it."""


Spawn = Callable[[Callable[[bytes], None], Callable[[], None]], Child]
"""Start a process; called with what to call with its output, and once it ended."""


class Asked(NamedTuple):
    """A pattern, and whose it is: for the log."""

    pattern: Pattern
    owner: str


@define(eq=False, repr=False)
class _Request:
    text: str
    asked: Sequence[Asked]
    done: Deferred[list[Groups]]
    deadline: IDelayedCall | None = None
    found: list[Groups] = field(factory=list)

    def end(self) -> None:
        """Answer. What was not tried did not fit."""
        if self.deadline is not None and self.deadline.active():
            self.deadline.cancel()
        done, self.deadline = self.done, None
        missing = len(self.asked) - len(self.found)
        done.callback(self.found + [None] * missing)


@define(eq=False, repr=False)
class _Running:
    """One process, from its start until we want no more of it."""

    child: Child | None = None
    unread: bytes = b""
    is_ready: bool = False


class Worker:
    """Runs patterns on texts in a process of ``spawn``, one text after the other.

    ``counts``: ``timed-out`` patterns, those ``set-aside``, ``refused`` texts
    (too many wait, or no process can be had).
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, spawn: Spawn) -> None:
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._spawn = spawn
        self._running: _Running | None = None
        self._busy: _Request | None = None
        self._patience: IDelayedCall | None = None
        self._waiting: deque[_Request] = deque()
        self._strikes: dict[Pattern, list[float]] = {}
        self._aside: dict[Pattern, float] = {}
        self._not_before = 0.0
        self._is_stopped = False

    def find(self, text: str, asked: Sequence[Asked]) -> Deferred[list[Groups]]:
        """For each pattern what :meth:`Pattern.find` says of ``text``, which is not too long.

        None for each that took too long, stood after one that did, or is set
        aside. Fires within :data:`MAX_WAIT`, and never fails.
        """
        places = [n for n, each in enumerate(asked) if not self._is_aside(each.pattern)]
        if not places:
            return succeed([None] * len(asked))
        if len(self._waiting) >= MAX_WAITING or self._cannot_start():
            self.counts["refused"] += 1
            self._log.debug("a text was not searched: {count} wait", count=len(self._waiting))
            return succeed([None] * len(asked))
        request = _Request(text, [asked[place] for place in places], Deferred())
        request.deadline = self._clock.callLater(MAX_WAIT, self._got_too_late, request)
        self._waiting.append(request)
        self._go_on()
        return request.done.addCallback(_spread, places, len(asked))

    def stop(self) -> None:
        """End the process, and answer everybody."""
        self._is_stopped = True
        self._drop_child()
        self._end_busy()
        self._end_waiting()

    # What happens

    def _go_on(self) -> None:
        if self._busy is not None or not self._waiting:
            return
        if self._running is None:
            self._start()
        elif self._running.is_ready:
            self._ask(self._waiting.popleft())

    def _start(self) -> None:
        running = self._running = _Running()
        try:
            running.child = self._spawn(
                lambda data: self._got_output(running, data), lambda: self._got_end(running)
            )
        except Exception:
            self._log.failure("cannot start a process for patterns")
            self._got_end(running)

    def _ask(self, request: _Request) -> None:
        assert self._running is not None
        assert self._running.child is not None
        self._busy = request
        self._patience = self._clock.callLater(PATIENCE, self._got_impatient)
        regexes = [(each.pattern.kind, each.pattern.regex) for each in request.asked]
        asked = [(kind, regex.pattern, regex.flags) for kind, regex in regexes]
        self._running.child.write(json.dumps((request.text, asked)).encode() + b"\n")

    def _got_output(self, running: _Running, data: bytes) -> None:
        if running is not self._running:
            return
        *lines, running.unread = (running.unread + data).split(b"\n")
        for line in lines:
            if not running.is_ready:
                running.is_ready = True
            elif self._busy is not None:
                self._busy.found.append(json.loads(line))
                if len(self._busy.found) == len(self._busy.asked):
                    self._end_busy()
        self._go_on()

    def _got_end(self, running: _Running) -> None:
        if running is not self._running:
            return
        self._running = None
        if self._busy is not None:
            self._blame(self._busy)
            self._end_busy()
        elif not running.is_ready:
            self._log.error("the process for patterns does not start")
            self._not_before = self._clock.seconds() + PAUSE
            self._end_waiting()
        self._go_on()

    def _got_impatient(self) -> None:
        # Its answer may be there already, unread because we were busy ourselves.
        self._patience = self._clock.callLater(GRACE, self._give_up_busy)

    def _give_up_busy(self) -> None:
        assert self._busy is not None
        self._drop_child()
        self._blame(self._busy)
        self._end_busy()
        self._go_on()

    def _got_too_late(self, request: _Request) -> None:
        if request is self._busy:
            self._give_up_busy()
            return
        self._waiting.remove(request)
        self.counts["refused"] += 1
        if not self._waiting and self._running is not None and not self._running.is_ready:
            # It had as long to start.
            self._drop_child()
        request.end()

    # Ends

    def _end_busy(self) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        self._patience = None
        request, self._busy = self._busy, None
        if request is not None:
            request.end()

    def _end_waiting(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        self.counts["refused"] += len(waiting)
        for request in waiting:
            request.end()

    def _drop_child(self) -> None:
        running, self._running = self._running, None
        if running is not None and running.child is not None:
            running.child.kill()

    def _cannot_start(self) -> bool:
        return self._is_stopped or (
            self._running is None and self._clock.seconds() < self._not_before
        )

    # Patterns that took too long

    def _is_aside(self, pattern: Pattern) -> bool:
        return self._aside.get(pattern, 0.0) > self._clock.seconds()

    def _blame(self, request: _Request) -> None:
        now = self._clock.seconds()
        culprit = request.asked[len(request.found)]
        self.counts["timed-out"] += 1
        self._log.warn(
            "{responder}: its pattern {pattern} took too long on a text of {length} characters",
            responder=culprit.owner,
            pattern=culprit.pattern.regex.pattern,
            length=len(request.text),
        )
        self._forget(now)
        strikes = self._strikes.setdefault(culprit.pattern, [])
        strikes.append(now)
        if len(strikes) >= STRIKES:
            del self._strikes[culprit.pattern]
            self._aside[culprit.pattern] = now + ASIDE
            self.counts["set-aside"] += 1
            self._log.error(
                "{responder}: its pattern {pattern} took too long {count} times;"
                " it is not tried for {minutes} minutes",
                responder=culprit.owner,
                pattern=culprit.pattern.regex.pattern,
                count=STRIKES,
                minutes=round(ASIDE / 60),
            )

    def _forget(self, now: float) -> None:
        self._aside = {pattern: until for pattern, until in self._aside.items() if until > now}
        recent = {
            pattern: [time for time in times if time > now - MEMORY]
            for pattern, times in self._strikes.items()
        }
        self._strikes = {pattern: times for pattern, times in recent.items() if times}


def _spread(found: list[Groups], places: list[int], count: int) -> list[Groups]:
    """The answers in the places of what was asked at first."""
    answers: list[Groups] = [None] * count
    for place, groups in zip(places, found, strict=True):
        answers[place] = groups
    return answers
