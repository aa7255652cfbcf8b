"""ReDoS protection: slow patterns run in a thread, behind a bounded queue and a circuit breaker.

One text at a time is searched in a thread (:mod:`xbot.matching.regex_search`), which has a
time limit of its own. A thread that exceeds it is abandoned, and another thread goes on
without its pattern.

Trusted senders and all others have a queue and circuit breakers of their own
(:mod:`xbot.matching.breaker`); the two queues take turns.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

from attrs import define
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from xbot.matching import regex_search
from xbot.matching.breaker import ASIDE, UNKNOWN, Asker, Breaker
from xbot.matching.pattern import Pattern
from xbot.matching.regex_search import Groups, Search
from xbot.model.fair_share import may_have_more

#: Seconds after which a search counts as stuck. Its own limit is a quarter of a second, but
#: the machine may be busy.
PATIENCE = 2.0

#: Maximum time in seconds until :meth:`GuardedSearch.find` has a result.
MAX_WAIT = 10.0

#: Maximum number of waiting texts of trusted senders, and of all others, besides the one that is
#: searched. Of the others, one share (a room, a domain) gets no more than its fair share.
MAX_WAITING = 32

#: Maximum number of stuck threads; with that many, no text is searched until one returns.
MAX_STUCK = 3

RunInThread = Callable[[Callable[[Search], Search], Search], Deferred[Search]]
"""Calls a function with its argument in a thread; fails if no thread is free."""


class OwnedPattern(NamedTuple):
    """A pattern, and the name of its owner for the log."""

    pattern: Pattern
    owner: str


class Why(Enum):
    """Why a pattern was not searched to the end."""

    #: The sender may not use what it belongs to, so it was not tried.
    NOT_ALLOWED = "not allowed"
    #: It took too long on this text.
    TOO_LONG = "too long"
    #: It is paused for this sender; for others, too.
    PAUSED, PAUSED_FOR_MANY = "paused", "paused for many"
    #: A search for it does not end.
    STUCK = "stuck"
    #: ``regex`` cannot compile it.
    MISREAD = "misread"
    #: Too many texts wait, no thread is free, or other patterns used up the time.
    BUSY = "busy"


class Unsearched(NamedTuple):
    """A pattern that may or may not match; ``seconds``: how long it is paused from now on."""

    why: Why
    seconds: float = 0.0


Searched = Groups | Unsearched
"""The groups of a match, None if the text does not match, or why that is not known."""

_BUSY = Unsearched(Why.BUSY)
_TOO_LONG = Unsearched(Why.TOO_LONG)
_STUCK = Unsearched(Why.STUCK)
_MISREAD = Unsearched(Why.MISREAD)


@define(eq=False, repr=False)
class _Request:
    text: str
    asked: Sequence[OwnedPattern]
    asker: Asker
    done: Deferred[list[Searched]]
    #: The result of each pattern.
    answers: list[Searched]
    deadline: IDelayedCall | None = None
    #: Indexes into ``asked`` of the patterns that are tried.
    tried: Sequence[int] = ()
    search: Search | None = None

    def end(self) -> None:
        """Fire ``done``. A pattern that was not tried has its reason as a result."""
        if self.deadline is not None and self.deadline.active():
            self.deadline.cancel()
        if (search := self.search) is not None:
            # A stuck thread may have finished the patterns before the stuck one.
            for place, groups in zip(self.tried, search.found, strict=False):
                self.answers[place] = groups
            ended = ((search.too_long, _TOO_LONG), (search.misread, _MISREAD))
            for indexes, result in (*ended, (search.untried, _BUSY)):
                for index in indexes:
                    self.answers[self.tried[index]] = result
        self.done.callback(self.answers)


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
        # By whether the sender is trusted.
        self._queues: dict[bool, deque[_Request]] = {True: deque(), False: deque()}
        #: Whether the last text that left a queue was of a trusted sender.
        self._was_trusted = False
        #: Requests whose thread is stuck, with the pattern to blame.
        self._stuck: dict[_Request, Pattern] = {}
        self._breaker = Breaker()
        self._is_stopped = False

    def find(
        self, text: str, asked: Sequence[OwnedPattern], asker: Asker = UNKNOWN
    ) -> Deferred[list[Searched]]:
        """Search ``text`` of ``asker`` for each pattern; fires with the groups of each match.

        None for a pattern that does not match, :class:`Unsearched` for one that timed out,
        came after the total time limit, or is paused. Fires within :data:`MAX_WAIT`, and
        never fails.
        """
        answers: list[Searched] = [self._aside(each.pattern, asker) or _BUSY for each in asked]
        if not any(each is _BUSY for each in answers):
            return succeed(answers)
        queue = self._queues[asker.is_trusted]
        if self._is_full(queue, asker) or self._is_stopped or len(self._stuck) >= MAX_STUCK:
            self.counts["refused"] += 1
            self._log.debug("a text was not searched: {count} wait", count=len(queue))
            return succeed(answers)
        request = _Request(text, asked, asker, Deferred(), answers)
        waits = MAX_WAIT - PATIENCE
        request.deadline = self._clock.callLater(waits, self._got_too_late, request)
        queue.append(request)
        self._go_on()
        return request.done

    def stop(self) -> None:
        """Answer all requests, and search no more; a running thread ends with the process."""
        self._is_stopped = True
        busy, self._busy = self._busy, None
        if busy is not None:
            busy.end()
        self._end_waiting()

    # The queues

    def _is_full(self, queue: deque[_Request], asker: Asker) -> bool:
        if asker.is_trusted:
            return len(queue) >= MAX_WAITING
        own = sum(each.asker.share == asker.share for each in queue)
        return not may_have_more(own, len(queue), MAX_WAITING)

    def _next(self) -> _Request | None:
        """The next text of the queue whose turn it is, or else of the other one."""
        for is_trusted in (not self._was_trusted, self._was_trusted):
            if queue := self._queues[is_trusted]:
                self._was_trusted = is_trusted
                return queue.popleft()
        return None

    def _go_on(self) -> None:
        while self._busy is None:
            if len(self._stuck) >= MAX_STUCK:
                self._end_waiting()
                return
            if (request := self._next()) is None:
                return
            patterns = [each.pattern for each in request.asked]
            # More patterns may have been paused since the request came.
            asides = [self._aside(each, request.asker) for each in patterns]
            request.answers = [each or _BUSY for each in asides]
            request.tried = [n for n, each in enumerate(asides) if each is None]
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
            self._blame(request.asked[request.tried[place]], request)
        for place in request.search.misread:
            self._switch_off(request.asked[request.tried[place]])
        request.end()
        self._go_on()

    def _got_too_late(self, request: _Request) -> None:
        if request is self._busy:
            self._give_up_busy()
            return
        self._queues[request.asker.is_trusted].remove(request)
        self.counts["refused"] += 1
        request.end()

    def _give_up_busy(self) -> None:
        request, self._busy = self._busy, None
        assert request is not None
        assert request.search is not None
        # ``found`` has a result for each pattern before the stuck one.
        at = min(len(request.search.found), len(request.tried) - 1)
        request.answers[request.tried[at]] = _STUCK
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
        waiting = [*self._queues[True], *self._queues[False]]
        for queue in self._queues.values():
            queue.clear()
        self.counts["refused"] += len(waiting)
        for request in waiting:
            request.end()

    # Slow patterns

    def _aside(self, pattern: Pattern, asker: Asker) -> Unsearched | None:
        """Why the pattern is not tried for ``asker``; None if it is."""
        if pattern in self._stuck.values():
            return _STUCK
        now = self._clock.seconds()
        pause = self._breaker.pause(pattern, asker, now)
        if pause is None:
            return None
        if pause.until == float("inf"):
            return _MISREAD
        why = Why.PAUSED if pause.is_own else Why.PAUSED_FOR_MANY
        return Unsearched(why, pause.until - now)

    def _switch_off(self, asked: OwnedPattern) -> None:
        self.counts["misread"] += 1
        self._breaker.switch_off(asked.pattern)
        self._log.error(
            "{responder}: its pattern {pattern} cannot be searched for under a time limit;"
            " it fits short texts only",
            responder=asked.owner,
            pattern=asked.pattern.regex.pattern,
        )

    def _blame(self, culprit: OwnedPattern, request: _Request) -> None:
        self.counts["timed-out"] += 1
        self._log.warn(
            "{responder}: its pattern {pattern} took too long on a text of {length} characters"
            " from {sender}",
            responder=culprit.owner,
            pattern=culprit.pattern.regex.pattern,
            length=len(request.text),
            sender=request.asker.name,
        )
        paused = self._breaker.strike(culprit.pattern, request.asker, self._clock.seconds())
        if paused is not None:
            self.counts["set-aside"] += 1
            self._log.error(
                "{responder}: its pattern {pattern} took too long too often;"
                " it is not tried for {minutes} minutes for {paused}",
                responder=culprit.owner,
                pattern=culprit.pattern.regex.pattern,
                minutes=round(ASIDE / 60),
                paused=paused,
            )
