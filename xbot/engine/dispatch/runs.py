"""Runs of responders: concurrency limits, time-outs, and an error answer if a run fails.

A state machine: a run waits for consent or the journal, then for its turn, is at work, may
pause for a question to a person, and ends exactly once, with one fate.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import Factory, define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, fail, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from xbot.config.settings import TIMEOUT
from xbot.engine.dispatch.held_answers import HeldAnswers
from xbot.engine.dispatch.output import Output
from xbot.engine.dispatch.person import name_of, party_of
from xbot.engine.dispatch.receipt import Receipt
from xbot.engine.dispatch.run_queue import RunQueue
from xbot.engine.dispatch.waiting_notices import WaitingNotices
from xbot.model.access import refusal
from xbot.model.message import AskedInThread, Message, reply_to
from xbot.model.random_ids import new_ident
from xbot.model.size_limit import UNBOUNDED, Measure
from xbot.process.threads import Busy, NotStarted
from xbot.runtime.answers import MAX_ANSWERS, Answers, cut
from xbot.runtime.call_types import Fill, Start
from xbot.runtime.failures import Failed, Misused, NoAnswer
from xbot.runtime.responder import Responder, Route
from xbot.text.durations import shown

#: Seconds that a thread sleeps for each message that is discarded (back-pressure).
PAUSE = 0.001

#: Seconds that a run waits for its turn before it is refused.
WAIT_WITHIN = 600.0

#: Seconds for which a run at work holds back the next one of the same person. Longer than most
#: runs take, and short enough to ask about a long one, or to stop it, by another command.
HOLD_FOR = TIMEOUT

#: Seconds after which a run that found no free thread is started again, and in all.
RETRY_AFTER = 1.0
RETRY_WITHIN = 30.0


@define(eq=False)
class Run:
    """One run: a responder's route handles one message.

    ``fate`` is the outcome in one word, None while the run is under way. ``entry`` is its
    number in the journal, if it has one. ``is_waiting``: it waits for consent. ``began`` is
    when the responder was called, in seconds of the clock. ``notice`` is sent before the
    responder is called. ``prepared`` calls it with arguments that were read before consent.
    ``so_far`` is what a program had printed at its time-out.
    ``receipt`` is that of its answers, if it has an entry and answers.
    """

    responder: Responder
    route: Route
    message: Message
    groups: Mapping[str, str]
    entry: int | None = None
    fate: str | None = None
    began: float | None = None
    prepared: Start | None = None
    is_waiting: bool = False
    notice: str = ""
    so_far: tuple[str, ...] = ()
    receipt: Receipt | None = None
    output: Output = field(
        init=False, default=Factory(lambda run: Output(run.responder.output), takes_self=True)
    )
    _held: HeldAnswers | None = None
    _deferred: Deferred[Any] | None = None
    _limit: IDelayedCall | None = None
    _asked: set[Deferred[Message]] = field(factory=set, init=False)
    _left: float = field(default=0.0, init=False)
    _is_counted: bool = field(default=False, init=False)
    _queue: RunQueue[Run] | None = field(default=None, init=False)
    _queued_at: float | None = field(default=None, init=False)
    _hold: IDelayedCall | None = field(default=None, init=False)

    @property
    def has_limit(self) -> bool:
        """Whether its time-out is running."""
        return self._limit is not None and self._limit.active()


class _ReplyChannel:
    """Reply channel of a run's message. Thread-safe: ``say`` works in any thread."""

    def __init__(self, runs: Runs, run: Run) -> None:
        self._runs = runs
        self._run = run
        self._home = threading.get_ident()
        self._brought = 0

    def say(self, message: Message) -> None:
        if threading.get_ident() == self._home:
            self._runs.speak(self._run, message)
        elif self._brought <= MAX_ANSWERS and message.body.strip():
            self._brought += 1
            self._runs.clock.callFromThread(self._runs.speak, self._run, message)
        else:
            # A thread cannot be ended. Discard the message and sleep, so that an endless loop
            # neither floods the reactor's queue nor takes all of the processor.
            time.sleep(PAUSE)

    def ask(self, question: Message, timeout: float) -> Deferred[Message]:
        if threading.get_ident() != self._home:
            raise AskedInThread()
        return self._runs.ask(self._run, question, timeout)


class Runs:
    """The runs that are under way; starts, limits and ends them.

    - ``clock``: the reactor, for time-outs and for calls from threads.
    - ``say(message)`` sends an answer; ``say(message, receipt)`` one of a run with an entry.
    - ``got_end(run)`` is called once for each run that is over.
    - ``keep(message, pages, responder, route)`` stores the further pages of a long answer
      to ``message``, and returns the notice about them.
    - ``ask(message, timeout)`` waits for the next message of the sender of ``message``.
    - ``measure()``: the current size limit of one message.
    - ``may_go_on(run, answer)``: whether the sender of ``answer`` still has access to the
      run that asked them.
    - ``objection(run)``: why a run that waited for its turn may not start now, else "".
    - ``refuse(run, reason)`` tells the sender that the run is refused.
    - ``quote(run)``: the quoted command.

    A person has one run of a responder at work at a time, and a responder ``runs`` in all. The
    others wait in its :class:`RunQueue`, so that commands are done in order. A run that takes
    longer than :data:`HOLD_FOR` no longer holds back the person's next one.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        say: Callable[..., object],
        got_end: Callable[[Run], None],
        keep: Callable[[Message, Sequence[str], Responder, Route], str],
        ask: Callable[[Message, float], Deferred[Message]],
        measure: Callable[[], Measure] = lambda: UNBOUNDED,
        may_go_on: Callable[[Run, Message], bool] = lambda run, answer: True,
        *,
        objection: Callable[[Run], str],
        refuse: Callable[[Run, str], object],
        quote: Callable[[Run], str],
    ) -> None:
        self._objection = objection
        self._refuse = refuse
        self._quote = quote
        self._notices: WaitingNotices[Run] = WaitingNotices(clock, say, quote)
        # The queues by responder; a responder has one only while runs of it are under way.
        self._queues: dict[str, RunQueue[Run]] = {}
        # Since when runs of a responder find no free thread, and when they are tried again.
        self._starved: dict[str, float] = {}
        self._retries: dict[str, IDelayedCall] = {}
        self._is_pumping: set[str] = set()
        self._is_stopped = False
        self._may_go_on = may_go_on
        self.clock = clock
        self._say = say
        self._got_end = got_end
        self._keep = keep
        self._ask = ask
        self._measure = measure
        self._under_way: set[Run] = set()
        self._at_work: Counter[str] = Counter()
        # Number of asynchronous runs at work, by responder and person.
        self._at_work_for: Counter[tuple[str, str]] = Counter()
        self._waiting: list[Deferred[None]] = []

    def await_start(self, run: Run, limit: float, too_late: Callable[[Run], None]) -> None:
        """Register a run that waits to start; calls ``too_late(run)`` after ``limit`` seconds."""
        self._under_way.add(run)
        run._limit = self.clock.callLater(limit, too_late, run)

    def await_consent(self, run: Run, consent: Deferred[None]) -> None:
        """Register a run that waits for consent; ``consent`` has time-outs of its own."""
        self._under_way.add(run)
        self._stop_clock(run)
        run._deferred = consent

    def reserve(self, run: Run) -> None:
        """Give ``run``, which will start later, its place in the queue now."""
        queue = self._queue_of(run)
        queue.reserve(_person(run), run)

    def start(self, run: Run) -> None:
        """Call the responder, or let the run wait for its turn; the time-out starts with it."""
        fill = run.route.fill
        if fill is not None and run.responder.scope is None:
            self._announce(run)
            self._answer_at_once(run, fill)
            return
        self._under_way.add(run)
        self._stop_clock(run)
        if run._queue is None:
            if run.responder.name not in self._queues and not self._is_busy(run):
                self._call(run)
                return
            self.reserve(run)
        queue = self._queue_of(run)
        is_starved = run.responder.name in self._starved
        if not is_starved and not self._is_busy(run) and queue.begin_alone(run):
            self._call(run)
            return
        queue.wait(run)
        self._pump(run.responder.name)
        if not queue.is_waiting(run):
            return
        if queue.is_too_much(run):
            self._got_busy(run)
        else:
            self._wait(run, queue)

    def _queue_of(self, run: Run) -> RunQueue[Run]:
        """The queue of the run's responder; the run is to be in it."""
        if run._queue is None:
            run._queue = self._queues.setdefault(run.responder.name, RunQueue())
        return run._queue

    def _wait(self, run: Run, queue: RunQueue[Run]) -> None:
        """Set the time-out of a run that waits in ``queue``, and have its sender told."""
        now = self.clock.seconds()
        if run._queued_at is None:
            run._queued_at = now
            self._notices.add(run, queue)
        left = max(0.0, run._queued_at + WAIT_WITHIN - now)
        run._limit = self.clock.callLater(left, self._waited_too_long, run)

    def _pump(self, name: str) -> None:
        """Start the runs of this responder whose turn it is."""
        queue = self._queues.get(name)
        if queue is None or self._is_stopped or name in self._retries or name in self._is_pumping:
            return
        self._is_pumping.add(name)
        try:
            while (run := queue.next(self._has_slot)) is not None:
                self._stop_clock(run)
                if run._queued_at is not None and (objection := self._objection(run)):
                    self._log.warn(
                        "denied {responder} to {sender}, after a wait for its turn",
                        responder=name,
                        sender=run.message.sender,
                    )
                    self.end(run, "denied", objection)
                else:
                    self._call(run)
                if name in self._retries:
                    return
        finally:
            self._is_pumping.discard(name)

    def _leave(self, run: Run) -> None:
        """Give up the run's place in the queue, for the next one of the same person."""
        queue, run._queue = run._queue, None
        if queue is None:
            return
        self._stop_hold(run)
        queue.leave(run)
        name = run.responder.name
        if queue:
            self._pump(name)
        if not queue and self._queues.get(name) is queue:
            del self._queues[name]
            self._starved.pop(name, None)
            if name in self._retries:
                self._retries.pop(name).cancel()

    def _call(self, run: Run) -> None:
        """Call the responder."""
        self._announce(run)
        self._at_work[run.responder.name] += 1
        run.began = self.clock.seconds()
        message = run.message.with_reply_channel(_ReplyChannel(self, run))
        if run.prepared is None:
            run._deferred = maybeDeferred(run.route.call, message, run.groups)
        else:
            run._deferred = maybeDeferred(run.prepared, message)
        run._deferred.addBoth(self._got_result, run)
        run._deferred.addErrback(self._got_surprise)
        # Most runs are over by now, so that the timer is set only here. A run that waits for a
        # person has no time-out meanwhile.
        if run.fate is None and not run._asked and not run.has_limit:
            run._limit = self.clock.callLater(run.responder.timeout, self._got_limit, run)
        if not run._deferred.called and not run._asked:
            self._count(run)
        if run.fate is None and not run._asked:
            self._hold_turn(run)
        if run.responder.name in self._starved and run.responder.name not in self._retries:
            self._starved.pop(run.responder.name)

    def _hold_turn(self, run: Run) -> None:
        """Hold back later commands of the same person while ``run`` is at work."""
        if run._queue is None:
            self._queue_of(run).began(_person(run), run)
        elif run._queue.is_waiting(run):
            return  # It found no free thread.
        if run.responder.timeout > HOLD_FOR:
            run._hold = self.clock.callLater(HOLD_FOR, self._leave, run)

    def _announce(self, run: Run) -> None:
        if run.notice:
            self._say(reply_to(run.message, run.notice))
            run.notice = ""

    def _has_slot(self, run: Run) -> bool:
        return not self._is_busy(run)

    def _is_busy(self, run: Run) -> bool:
        """Whether a concurrency limit is reached: the responder's, or the person's share of it.

        One person may have all of the responder's ``runs`` but one, which is left for others.
        """
        responder = run.responder
        at_work = self._at_work[responder.name]
        if not at_work:
            return False
        own = self._at_work_for[_whose(run)]
        return at_work >= responder.runs or own >= max(1, responder.runs - 1)

    def _count(self, run: Run) -> None:
        """Count an asynchronous run of this person."""
        run._is_counted = True
        self._at_work_for[_whose(run)] += 1

    def _uncount(self, run: Run) -> None:
        """Stop counting the run, if it was counted. Idempotent."""
        if run._is_counted:
            run._is_counted = False
            self._at_work_for -= Counter([_whose(run)])

    def _answer_at_once(self, run: Run, fill: Fill) -> None:
        """Fast path: a whole run of a route with ``fill``, which neither blocks nor fails."""
        run.began = self.clock.seconds()
        message = run.message
        for text in run.output.answer(fill(message, run.groups), self._measure()):
            # With an id, for speed: else the message would be copied later to add one.
            self._send(run, reply_to(message, text, id=new_ident()))
        self.end(run, "answered" if run.output.count else "silent")

    def end(self, run: Run, fate: str, answer: str = "") -> None:
        """End ``run`` with ``fate``, and send ``answer`` if it is not empty.

        Anything that the responder's code still says is discarded. Does not cancel it.
        """
        run.fate = fate
        self._under_way.discard(run)
        self._stop_clock(run)
        for text in run.output.last(answer, self._measure()) if answer else ():
            self._send(run, reply_to(run.message, text))
        if run.output.kept and fate != "cancelled":
            self._offer(run)
        if run.output.cut:
            self._log.warn(
                "{responder} said more to {sender} than is shown: {cut}",
                responder=run.responder.name,
                sender=run.message.sender,
                cut=run.output.cut,
            )
        self._got_end(run)
        if run._asked:
            self._withdraw(run)
        if run._queue is not None:
            self._leave(run)
        if not self._under_way:
            waiting, self._waiting = self._waiting, []
            for deferred in waiting:
                deferred.callback(None)

    def stop(self) -> None:
        """Cancel all runs, also those that wait, without an answer; start no more."""
        self._is_stopped = True
        self._notices.stop()
        for run in list(self._under_way):
            self.end(run, "cancelled")
            self._cancel(run)

    @property
    def running(self) -> list[str]:
        """Names of the responders with runs under way."""
        return sorted({run.responder.name for run in self._under_way})

    def idle(self) -> Deferred[None]:
        """Fires once no run is under way."""
        if not self._under_way:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def _got_result(self, result: Answers | Failure, run: Run) -> None:
        """The responder's code has ended: send its answers, then end the run."""
        # A run that ignores cancellation counts as at work until its code has really
        # ended, so that such runs cannot pile up.
        self._at_work[run.responder.name] -= 1
        self._uncount(run)
        self._take_result(result, run)
        if run.responder.name in self._queues:
            self._pump(run.responder.name)

    def _take_result(self, result: Answers | Failure, run: Run) -> None:
        answers = Answers(failure=result) if isinstance(result, Failure) else result
        if run.fate is not None:
            run.so_far = answers.said
            self._log.debug("{responder} came too late", responder=run.responder.name)
            return
        if isinstance(result, Failure) and result.check(NotStarted) and self._try_later(run):
            return
        run.output.cut = answers.cut or run.output.cut
        for text in answers.said:
            self.speak(run, reply_to(run.message, text))
        if run._held is None or run._held.is_empty:
            self._finish(run, answers)
        else:
            # The code has ended; saving the brain has a time-out of its own.
            self._stop_clock(run)
            run._held.emptied().addCallback(lambda _: self._finish(run, answers))

    def _try_later(self, run: Run) -> bool:
        """Start a run that found no free thread again later; False if that was tried for long."""
        name, now = run.responder.name, self.clock.seconds()
        if now - self._starved.setdefault(name, now) >= RETRY_WITHIN:
            return False
        self._stop_clock(run)
        self._stop_hold(run)
        queue = self._queue_of(run)
        if run not in queue:
            queue.began(_person(run), run)
        queue.wait(run)
        self._wait(run, queue)
        if name not in self._retries:
            self._retries[name] = self.clock.callLater(RETRY_AFTER, self._try_again, name)
        return True

    def _try_again(self, name: str) -> None:
        del self._retries[name]
        self._pump(name)

    def _finish(self, run: Run, answers: Answers) -> None:
        if run.fate is not None:
            return
        if answers.failure is not None:
            self.got_failure(answers.failure, run)
        else:
            self.end(run, "answered" if run.output.count else "silent")

    def ask(self, run: Run, question: Message, timeout: float) -> Deferred[Message]:
        """Ask the sender of the run's message; fires with their next message in that place.

        The run's time-out is paused meanwhile. Fails with :class:`NoAnswer` after ``timeout``
        seconds, and with :class:`Busy` if too many questions are open.
        """
        if run.fate is not None:
            return fail(NoAnswer("", "it asked too late"))
        if run.output.kept:
            # Kept pages are sent only on request, but the question now: offer the pages first.
            self._offer(run)
        asked = self._ask(run.message, timeout)
        if asked.called:
            return asked
        if not run._asked:
            run._left = run.responder.timeout
            if run._limit is not None and run.has_limit:
                run._left = run._limit.getTime() - self.clock.seconds()
            self._stop_clock(run)
            # While it waits for a person, it does not count towards the concurrency limits.
            self._at_work[run.responder.name] -= 1
            self._uncount(run)
        run._asked.add(asked)
        asked.addBoth(self._got_word, run, asked)
        self.speak(run, question)
        # Other commands of this person do not wait for the answer.
        self._leave(run)
        return asked

    def _got_word(
        self, word: Message | Failure, run: Run, asked: Deferred[Message]
    ) -> Message | Failure:
        """A question was answered, or failed: count the run as at work, and resume its time-out."""
        run._asked.discard(asked)
        if not run._asked:
            self._at_work[run.responder.name] += 1
            if run._deferred is not None and not run._deferred.called:
                self._count(run)
            if run.fate is None:
                run._limit = self.clock.callLater(max(0.0, run._left), self._got_limit, run)
        if isinstance(word, Failure):
            return word
        if run.fate is None and not self._may_go_on(run, word):
            return self._deny(run, word)
        run.output.got_word()
        return evolve(word, reply_channel=_ReplyChannel(self, run))

    def _deny(self, run: Run, answer: Message) -> Failure:
        """End the run: the person who answers has lost access to it."""
        name = run.responder.name
        self._log.warn("denied {responder} to {sender}", responder=name, sender=answer.sender)
        self.end(run, "denied", refusal(name, answer))
        # Not NoAnswer: the responder's code may catch that and go on without an answer.
        return Failure(CancelledError())

    def _withdraw(self, run: Run) -> None:
        """Withdraw the open questions of a run that is over."""
        if run.fate in ("answered", "silent"):
            self._log.warn(
                "{responder} asked something and was over before the answer: await message.ask()",
                responder=run.responder.name,
            )
        while run._asked:
            asked = run._asked.pop()
            # Swallow the failure: the responder's code may not await this Deferred.
            asked.addErrback(lambda _: None)
            asked.cancel()

    def _offer(self, run: Run) -> None:
        """Store the kept pages, and send the notice about them."""
        kept, run.output.kept = run.output.kept, []
        say = partial(self._send, run) if run._held is None else run._held.say
        say(reply_to(run.message, self._keep(run.message, kept, run.responder, run.route)))

    def speak(self, run: Run, message: Message) -> None:
        """Send a message of a run that is under way; the further pages of a long one are kept.

        Held back, in FIFO order, until the responder's brain writes are durable.
        """
        if run.fate is not None:
            self._log.debug("{responder} spoke too late", responder=run.responder.name)
            return
        scope = run.responder.scope
        if run._held is None and scope is not None and scope.unsaved:
            run._held = HeldAnswers(partial(self._send, run), scope.unsaved.saved)
        say = partial(self._send, run) if run._held is None else run._held.say
        for text in run.output.answer(message.body, self._measure()):
            say(evolve(message, body=text))

    def _send(self, run: Run, message: Message) -> None:
        """Send one message of a run; with its receipt if the run is journalled."""
        if run.entry is None:
            self._say(message)
            return
        if run.receipt is None:
            run.receipt = Receipt()
        self._say(message, run.receipt)

    def got_failure(self, failure: Failure, run: Run) -> None:
        """End a run that failed: expected failures get one log line, bugs a traceback."""
        name, error = run.responder.name, failure.value
        if isinstance(error, Busy):
            self._got_busy(run)
            return
        if isinstance(error, Misused):
            # A ``hear`` pattern: the sender did not address the bot, so show no usage.
            usage = f"usage: {run.route.usage or name}\n{error}"
            self.end(run, "misused", "" if run.route.kind == "hear" else cut(usage))
            return
        if isinstance(error, Failed):
            self._log.warn(
                "{responder} failed for {sender}: {reason}",
                responder=name,
                sender=run.message.sender,
                reason=error.reason,
            )
        else:
            self._log.failure(
                "{responder} failed for {sender}",
                failure,
                LogLevel.error,
                responder=name,
                sender=run.message.sender,
            )
        answer = error.answer if isinstance(error, Failed) else f"{name} failed; the log says why."
        self.end(run, "failed", answer)

    def _got_busy(self, run: Run) -> None:
        name, sender = run.responder.name, run.message.sender
        self._log.warn("{responder} is busy; refused {sender}", responder=name, sender=sender)
        self._refuse(run, f"{name} is busy")
        self.end(run, "busy")

    def _waited_too_long(self, run: Run) -> None:
        name, sender = run.responder.name, run.message.sender
        self._log.warn(
            "{responder} was busy for {span}; refused {sender}",
            responder=name,
            span=shown(WAIT_WITHIN),
            sender=sender,
        )
        text = f"{self._quote(run)} is not run: {name} was busy for {WAIT_WITHIN / 60:g} minutes."
        self.end(run, "busy", "" if run.route.kind == "hear" else text)

    def _got_limit(self, run: Run) -> None:
        """Time-out: end the run with an answer, and cancel its code."""
        name, limit = run.responder.name, shown(run.responder.timeout)
        self._log.warn(
            "{responder} did not finish within {limit} for {sender}",
            responder=name,
            limit=limit,
            sender=run.message.sender,
        )
        # From here on nothing that the code says is sent, except what a program printed so far.
        run.fate, until_then = "timed-out", ""
        self._cancel(run)
        if run.so_far:
            until_then = " Until then:\n" + "\n".join(run.so_far)
        self.end(run, "timed-out", f"{name} did not finish within {limit}.{until_then}")

    def _cancel(self, run: Run) -> None:
        """Cancel the responder's Deferred; never raises but KeyboardInterrupt."""
        # Cancelling a responder's Deferred calls the responder's code, which may raise.
        try:
            if run._deferred is not None:
                run._deferred.cancel()
        except KeyboardInterrupt:
            raise
        except BaseException:
            self._log.failure(
                "{responder} failed on being cancelled",
                level=LogLevel.error,
                responder=run.responder.name,
            )

    @staticmethod
    def _stop_clock(run: Run) -> None:
        if run._limit is not None and run.has_limit:
            run._limit.cancel()

    @staticmethod
    def _stop_hold(run: Run) -> None:
        if run._hold is not None and run._hold.active():
            run._hold.cancel()

    def _got_surprise(self, failure: Failure) -> None:
        self._log.failure("internal error in the dispatcher", failure)


def _person(run: Run) -> str:
    """Key of a person's lane in a queue."""
    return name_of(run.message)


def _whose(run: Run) -> tuple[str, str]:
    """Key of the concurrency limit per person: responder name, and the sender's party."""
    return run.responder.name, party_of(run.message)
