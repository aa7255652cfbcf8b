"""ReDoS protection: slow patterns run in a thread, behind a bounded queue and a circuit breaker.

One text at a time is searched in a thread (:mod:`xbot.matching.regex_search`), which has a
time limit of its own. A thread that exceeds it is abandoned, and another thread goes on
without its pattern.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from attrs import define
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from xbot.matching import regex_search
from xbot.matching.breaker import ASIDE, STRIKES, Breaker
from xbot.matching.pattern import Pattern
from xbot.matching.regex_search import Groups, Search

#: Seconds after which a search counts as stuck. Its own limit is a quarter of a second, but
#: the machine may be busy.
PATIENCE = 2.0

#: Maximum time in seconds until :meth:`GuardedSearch.find` has a result.
MAX_WAIT = 10.0

#: Maximum number of waiting texts, besides the one that is searched.
MAX_WAITING = 32

#: Maximum number of stuck threads; with that many, no text is searched until one returns.
MAX_STUCK = 3

RunInThread = Callable[[Callable[[Search], Search], Search], Deferred[Search]]
"""Calls a function with its argument in a thread; fails if no thread is free."""


class OwnedPattern(NamedTuple):
    """A pattern, and the name of its owner for the log."""

    pattern: Pattern
    owner: str


@define(eq=False, repr=False)
class _Request:
    text: str
    asked: Sequence[OwnedPattern]
    done: Deferred[list[Groups]]
    deadline: IDelayedCall | None = None
    #: Indexes into ``asked`` of the patterns that are tried.
    tried: Sequence[int] = ()
    search: Search | None = None

    def end(self) -> None:
        """Fire ``done``. A pattern that was not tried counts as not matching."""
        if self.deadline is not None and self.deadline.active():
            self.deadline.cancel()
        answers: list[Groups] = [None] * len(self.asked)
        # A stuck thread may have finished the patterns before the stuck one.
        found = self.search.found if self.search is not None else []
        for place, groups in zip(self.tried, found, strict=False):
            answers[place] = groups
        self.done.callback(answers)


class GuardedSearch:
    """Runs patterns on texts by ``in_thread``, one text after the other.

    ``counts``: patterns that ``timed-out``, were ``set-aside`` (paused), got ``stuck`` (the
    search did not end) or were ``misread`` (``regex`` cannot compile them), and ``refused``
    texts (the queue is full, or no thread is free).
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, in_thread: RunInThread) -> None:
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._in_thread = in_thread
        self._busy: _Request | None = None
        self._waiting: deque[_Request] = deque()
        #: Requests whose thread is stuck, with the pattern to blame.
        self._stuck: dict[_Request, Pattern] = {}
        self._breaker = Breaker()
        self._is_stopped = False

    def find(self, text: str, asked: Sequence[OwnedPattern]) -> Deferred[list[Groups]]:
        """Search ``text`` for each pattern; fires with the groups of each match, else None.

        None also for a pattern that timed out, came after the total time limit, or is
        paused. Fires within :data:`MAX_WAIT`, and never fails.
        """
        if all(self._is_aside(each.pattern) for each in asked):
            return succeed([None] * len(asked))
        if len(self._waiting) >= MAX_WAITING or self._is_stopped or len(self._stuck) >= MAX_STUCK:
            self.counts["refused"] += 1
            self._log.debug("a text was not searched: {count} wait", count=len(self._waiting))
            return succeed([None] * len(asked))
        request = _Request(text, asked, Deferred())
        waits = MAX_WAIT - PATIENCE
        request.deadline = self._clock.callLater(waits, self._got_too_late, request)
        self._waiting.append(request)
        self._go_on()
        return request.done

    def stop(self) -> None:
        """Answer all requests, and search no more; a running thread ends with the process."""
        self._is_stopped = True
        busy, self._busy = self._busy, None
        if busy is not None:
            busy.end()
        self._end_waiting()

    # The queue

    def _go_on(self) -> None:
        while self._busy is None and self._waiting:
            if len(self._stuck) >= MAX_STUCK:
                self._end_waiting()
                return
            request = self._waiting.popleft()
            patterns = [each.pattern for each in request.asked]
            # More patterns may have been paused since the request came.
            request.tried = [n for n, each in enumerate(patterns) if not self._is_aside(each)]
            if not request.tried:
                request.end()
                continue
            self._busy = request
            request.search = Search(request.text, [patterns[place] for place in request.tried])
            assert request.deadline is not None
            request.deadline.reset(PATIENCE)
            ending = self._in_thread(regex_search.run, request.search)
            ending.addBoth(self._got_end, request)

    def _got_end(self, outcome: Search | Failure, request: _Request) -> None:
        if isinstance(outcome, Failure):
            self.counts["refused"] += 1
            self._log.failure("a text was not searched for patterns", outcome)
        if self._stuck.pop(request, None) is not None:
            self._log.info("a stuck search for a pattern has ended after all")
        if request is not self._busy:
            return
        self._busy = None
        assert request.search is not None
        for place in request.search.too_long:
            self._blame(request.asked[request.tried[place]], len(request.text))
        for place in request.search.misread:
            self._switch_off(request.asked[request.tried[place]])
        request.end()
        self._go_on()

    def _got_too_late(self, request: _Request) -> None:
        if request is self._busy:
            self._give_up_busy()
            return
        self._waiting.remove(request)
        self.counts["refused"] += 1
        request.end()

    def _give_up_busy(self) -> None:
        request, self._busy = self._busy, None
        assert request is not None
        assert request.search is not None
        # ``found`` has a result for each pattern before the stuck one.
        at = min(len(request.search.found), len(request.tried) - 1)
        culprit = request.asked[request.tried[at]]
        self.counts["stuck"] += 1
        self._stuck[request] = culprit.pattern
        self._log.error(
            "{responder}: a search for its pattern {pattern} does not end;"
            " it is not tried before it does",
            responder=culprit.owner,
            pattern=culprit.pattern.regex.pattern,
        )
        if len(self._stuck) >= MAX_STUCK:
            self._log.error("no pattern that may take long is tried until one of these ends")
        request.end()
        self._go_on()

    def _end_waiting(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        self.counts["refused"] += len(waiting)
        for request in waiting:
            request.end()

    # Slow patterns

    def _is_aside(self, pattern: Pattern) -> bool:
        is_allowed = self._breaker.allows(pattern, self._clock.seconds())
        return not is_allowed or pattern in self._stuck.values()

    def _switch_off(self, asked: OwnedPattern) -> None:
        self.counts["misread"] += 1
        self._breaker.switch_off(asked.pattern)
        self._log.error(
            "{responder}: its pattern {pattern} cannot be searched for under a time limit;"
            " it fits short texts only",
            responder=asked.owner,
            pattern=asked.pattern.regex.pattern,
        )

    def _blame(self, culprit: OwnedPattern, length: int) -> None:
        self.counts["timed-out"] += 1
        self._log.warn(
            "{responder}: its pattern {pattern} took too long on a text of {length} characters",
            responder=culprit.owner,
            pattern=culprit.pattern.regex.pattern,
            length=length,
        )
        if self._breaker.strike(culprit.pattern, self._clock.seconds()):
            self.counts["set-aside"] += 1
            self._log.error(
                "{responder}: its pattern {pattern} took too long {count} times;"
                " it is not tried for {minutes} minutes",
                responder=culprit.owner,
                pattern=culprit.pattern.regex.pattern,
                count=STRIKES,
                minutes=round(ASIDE / 60),
            )
