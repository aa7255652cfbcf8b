"""Runs of responders: bounded in number and time, each ended once, in words when it goes wrong."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import Factory, define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, fail, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from xbot.engine.dispatch.held_answers import HeldAnswers
from xbot.engine.dispatch.output import Output
from xbot.model.access import refusal
from xbot.model.message import AskedInThread, Message, reply_to
from xbot.model.random_ids import new_ident
from xbot.model.size_limit import UNBOUNDED, Measure
from xbot.process.threads import Busy
from xbot.runtime.answers import MAX_ANSWERS, Answers, cut
from xbot.runtime.call_types import Fill
from xbot.runtime.failures import Failed, Misused, NoAnswer
from xbot.runtime.responder import Responder, Route

#: Seconds that a thread has to wait for each thing that it says in vain.
PAUSE = 0.001


@define(eq=False)
class Run:
    """A responder at one message. ``fate`` is None while it is under way.

    ``entry`` is its number in the journal, if it has one; ``noted`` fires with it
    where that was asked for before it may run, which it waits for while ``is_waiting``:
    with 0 if it could not be noted, None if it was before. ``began`` is the
    clock's time when its responder was called. ``notice`` is said before that.
    """

    responder: Responder
    route: Route
    message: Message
    groups: Mapping[str, str]
    entry: int | None = None
    fate: str | None = None
    began: float | None = None
    noted: Deferred[int | None] | None = None
    is_waiting: bool = False
    notice: str = ""
    output: Output = field(
        init=False, default=Factory(lambda run: Output(run.responder.output), takes_self=True)
    )
    _held: HeldAnswers | None = None
    _deferred: Deferred[Any] | None = None
    _limit: IDelayedCall | None = None
    _asked: set[Deferred[Message]] = field(factory=set, init=False)
    _left: float = field(default=0.0, init=False)
    _is_counted: bool = field(default=False, init=False)

    @property
    def has_limit(self) -> bool:
        """Whether its time limit is running."""
        return self._limit is not None and self._limit.active()


class _ReplyChannel:
    """The replies of a run's message, from the reactor's thread or another one."""

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
            # A thread cannot be ended. It neither fills the reactor's queue nor takes its time.
            time.sleep(PAUSE)

    def ask(self, question: Message, timeout: float) -> Deferred[Message]:
        if threading.get_ident() != self._home:
            raise AskedInThread()
        return self._runs.ask(self._run, question, timeout)


class Runs:
    """The runs that are under way.

    Answers go to ``say``, and each run that is over, once, to ``got_end``. What
    is too long goes to ``keep``, with the message that was answered; it gives
    what to say about that. ``ask`` gives what the person who said a message says
    next there.
    ``measure`` tells how long one message may be now. ``may_go_on`` tells whether a run is
    still for the person who answers its question.
    ``clock`` is a reactor's: it keeps the time limits, and brings what is said
    in threads.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        say: Callable[[Message], object],
        got_end: Callable[[Run], None],
        keep: Callable[[Message, Sequence[str], Responder, Route], str],
        ask: Callable[[Message, float], Deferred[Message]],
        measure: Callable[[], Measure] = lambda: UNBOUNDED,
        may_go_on: Callable[[Run, Message], bool] = lambda run, answer: True,
    ) -> None:
        self._may_go_on = may_go_on
        self.clock = clock
        self._say = say
        self._got_end = got_end
        self._keep = keep
        self._ask = ask
        self._measure = measure
        self._under_way: set[Run] = set()
        self._at_work: Counter[str] = Counter()
        # Of those that take their time, how many each person has.
        self._at_work_for: Counter[tuple[str, str]] = Counter()
        self._waiting: list[Deferred[None]] = []

    def await_start(self, run: Run, limit: float, too_late: Callable[[Run], None]) -> None:
        """``run`` is under way, but waits; ``too_late`` is called after ``limit`` seconds."""
        self._under_way.add(run)
        run._limit = self.clock.callLater(limit, too_late, run)

    def await_consent(self, run: Run, consent: Deferred[None]) -> None:
        """``run`` is under way, but waits for people, who have their own time limits."""
        self._under_way.add(run)
        run._deferred = consent

    def start(self, run: Run) -> None:
        """Call the responder; its time limit begins now."""
        if run.notice:
            self._say(reply_to(run.message, run.notice))
        fill = run.route.fill
        if fill is not None and run.responder.scope is None:
            self._answer_at_once(run, fill)
            return
        self._under_way.add(run)
        self._stop_clock(run)
        if self._is_busy(run):
            self._got_busy(run)
            return
        self._at_work[run.responder.name] += 1
        run.began = self.clock.seconds()
        message = run.message.with_reply_channel(_ReplyChannel(self, run))
        run._deferred = maybeDeferred(run.route.call, message, run.groups)
        run._deferred.addBoth(self._got_result, run)
        run._deferred.addErrback(self._got_surprise)
        # Most are over by now; of those that are not, some wait for a person.
        if run.fate is None and not run._asked and not run.has_limit:
            run._limit = self.clock.callLater(run.responder.timeout, self._got_limit, run)
        if not run._deferred.called and not run._asked:
            self._count(run)

    def _is_busy(self, run: Run) -> bool:
        """Whether it does as much as it may, or as much for this person: one is left to others."""
        responder = run.responder
        at_work = self._at_work[responder.name]
        if not at_work:
            return False
        own = self._at_work_for[_whose(run)]
        return at_work >= responder.runs or own >= max(1, responder.runs - 1)

    def _count(self, run: Run) -> None:
        """One more of this person takes its time."""
        run._is_counted = True
        self._at_work_for[_whose(run)] += 1

    def _uncount(self, run: Run) -> None:
        """It takes no more time, if it took any."""
        if run._is_counted:
            run._is_counted = False
            self._at_work_for -= Counter([_whose(run)])

    def _answer_at_once(self, run: Run, fill: Fill) -> None:
        """The whole of a run that takes no time, cannot fail, and remembers nothing."""
        run.began = self.clock.seconds()
        message = run.message
        for text in run.output.answer(fill(message, run.groups), self._measure()):
            # With an id from the beginning: to give it one later is to make it twice.
            self._say(reply_to(message, text, id=new_ident()))
        self.end(run, "answered" if run.output.count else "silent")

    def end(self, run: Run, fate: str, answer: str = "") -> None:
        """``run`` is over, whatever it still does; say ``answer`` if there is one."""
        run.fate = fate
        self._under_way.discard(run)
        self._stop_clock(run)
        for text in run.output.last(answer, self._measure()) if answer else ():
            self._say(reply_to(run.message, text))
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
        if not self._under_way:
            waiting, self._waiting = self._waiting, []
            for deferred in waiting:
                deferred.callback(None)

    def stop(self) -> None:
        """Cancel all runs without an answer."""
        for run in list(self._under_way):
            self.end(run, "cancelled")
            self._cancel(run)

    def idle(self) -> Deferred[None]:
        """Fires once no run is under way."""
        if not self._under_way:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def _got_result(self, result: Answers | Failure, run: Run) -> None:
        # What has not ended still counts as at work after its limit, so that
        # runs that ignore being cancelled cannot pile up.
        self._at_work[run.responder.name] -= 1
        self._uncount(run)
        if run.fate is not None:
            self._log.debug("{responder} came too late", responder=run.responder.name)
            return
        answers = Answers(failure=result) if isinstance(result, Failure) else result
        run.output.cut = answers.cut or run.output.cut
        for text in answers.said:
            self.speak(run, reply_to(run.message, text))
        if run._held is None or run._held.is_empty:
            self._finish(run, answers)
        else:
            # It is done; what it remembered is saved within the brain's own limit.
            self._stop_clock(run)
            run._held.emptied().addCallback(lambda _: self._finish(run, answers))

    def _finish(self, run: Run, answers: Answers) -> None:
        if run.fate is not None:
            return
        if answers.failure is not None:
            self._got_failure(answers.failure, run)
        else:
            self.end(run, "answered" if run.output.count else "silent")

    def ask(self, run: Run, question: Message, timeout: float) -> Deferred[Message]:
        """What whoever is answered by ``run`` says next; its time limit stands still meanwhile."""
        if run.fate is not None:
            return fail(NoAnswer("", "it asked too late"))
        if run.output.kept:
            # They are for whoever asks for them; a question is said now.
            self._offer(run)
        asked = self._ask(run.message, timeout)
        if asked.called:
            return asked
        if not run._asked:
            run._left = run.responder.timeout
            if run._limit is not None and run.has_limit:
                run._left = run._limit.getTime() - self.clock.seconds()
            self._stop_clock(run)
            # Whoever waits for a person keeps nobody else from being answered.
            self._at_work[run.responder.name] -= 1
            self._uncount(run)
        run._asked.add(asked)
        asked.addBoth(self._got_word, run, asked)
        self.speak(run, question)
        return asked

    def _got_word(
        self, word: Message | Failure, run: Run, asked: Deferred[Message]
    ) -> Message | Failure:
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
        """The person who was asked may not use it any more: it ends here."""
        name = run.responder.name
        self._log.warn("denied {responder} to {sender}", responder=name, sender=answer.sender)
        self.end(run, "denied", refusal(name, answer))
        # Not NoAnswer: code that goes on without an answer must not go on here.
        return Failure(CancelledError())

    def _withdraw(self, run: Run) -> None:
        """What was asked is of no matter any more."""
        if run.fate in ("answered", "silent"):
            self._log.warn(
                "{responder} asked something and was over before the answer: await message.ask()",
                responder=run.responder.name,
            )
        while run._asked:
            asked = run._asked.pop()
            # Where nobody awaits it, nobody else takes its failure.
            asked.addErrback(lambda _: None)
            asked.cancel()

    def _offer(self, run: Run) -> None:
        """Tell of the pages that are kept."""
        kept, run.output.kept = run.output.kept, []
        say = self._say if run._held is None else run._held.say
        say(reply_to(run.message, self._keep(run.message, kept, run.responder, run.route)))

    def speak(self, run: Run, message: Message) -> None:
        """Say something of a run's while it lasts, or as much of it as is said at once."""
        if run.fate is not None:
            self._log.debug("{responder} spoke too late", responder=run.responder.name)
            return
        scope = run.responder.scope
        if run._held is None and scope is not None and scope.unsaved:
            run._held = HeldAnswers(self._say, scope.unsaved.saved)
        say = self._say if run._held is None else run._held.say
        for text in run.output.answer(message.body, self._measure()):
            say(evolve(message, body=text))

    def _got_failure(self, failure: Failure, run: Run) -> None:
        name, error = run.responder.name, failure.value
        if isinstance(error, Busy):
            self._got_busy(run)
            return
        if isinstance(error, Misused):
            # Whoever is only overheard did not mean to use it.
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
        self.end(run, "busy", f"{name} is busy; try again in a moment.")

    def _got_limit(self, run: Run) -> None:
        name, limit = run.responder.name, f"{run.responder.timeout:g} s"
        self._log.warn(
            "{responder} did not finish within {limit} for {sender}",
            responder=name,
            limit=limit,
            sender=run.message.sender,
        )
        self.end(run, "timed-out", f"{name} did not finish within {limit}.")
        self._cancel(run)

    def _cancel(self, run: Run) -> None:
        # A Deferred of someone else's calls someone else's code when cancelled.
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

    def _got_surprise(self, failure: Failure) -> None:
        self._log.failure("internal error in the dispatcher", failure)


def _whose(run: Run) -> tuple[str, str]:
    """The share that a run belongs to: of its responder, what one person has."""
    return run.responder.name, run.message.identity or run.message.sender
