"""From a message to its answers: who answers, for how long, and what is said when it goes wrong.

Whatever a responder does ends in answers, one line in the log, or both; none
of it reaches the caller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from attrs import define
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from xbot.errors import NotConnected
from xbot.filters import Rooms, may_answer, reason_to_drop
from xbot.matching import addressed_text
from xbot.message import Message
from xbot.responder import Answers, Failed, Responder
from xbot.threads import Busy

#: One responder does so many things at once, and no more.
MAX_RUNS = 4

_Chosen = list[tuple[Responder, dict[str, str]]]


@define(eq=False)
class _Run:
    responder: Responder
    message: Message
    deferred: Deferred[Answers] | None = None
    limit: IDelayedCall | None = None


class Dispatcher:
    """Gives messages to responders and their answers to ``send``.

    ``name`` and ``prefix`` are how people address the bot, together with its
    nick in the room, which ``nick_in`` tells; ``rooms`` says who may answer in
    which room. ``clock`` keeps the time limits.

    ``fates`` counts what became of things. Messages: ``dispatched``,
    ``unmatched``, ``stopped``, and the words of
    :func:`~xbot.filters.reason_to_drop`. Runs: ``answered``, ``silent``,
    ``failed``, ``timed-out``, ``busy``, ``cancelled``. Answers that could not
    leave: ``undelivered``.
    """

    _log = Logger()

    def __init__(
        self,
        responders: Sequence[Responder],
        send: Callable[[Message], None],
        clock: IReactorTime,
        *,
        name: str,
        prefix: str,
        nick_in: Callable[[str], str | None],
        rooms: Rooms,
    ) -> None:
        self.fates: Counter[str] = Counter()
        self._responders = tuple(responders)
        self._send = send
        self._clock = clock
        self._name = name
        self._prefix = prefix
        self._nick_in = nick_in
        self._rooms = rooms
        self._under_way: set[_Run] = set()
        self._at_work: Counter[str] = Counter()
        self._waiting: list[Deferred[None]] = []
        self._is_stopped = False

    def got_message(self, message: Message) -> None:
        """Have ``message`` answered, or drop it and say why at debug level."""
        reason = "stopped" if self._is_stopped else reason_to_drop(message)
        chosen = [] if reason else self._choose(message)
        fate = reason or ("dispatched" if chosen else "unmatched")
        self.fates[fate] += 1
        if not chosen:
            self._log.debug("dropped, {fate}: from {sender}", fate=fate, sender=message.sender)
        for responder, groups in chosen:
            self._start(responder, message, groups)

    def idle(self) -> Deferred[None]:
        """Fires once no run is under way: at once, or when the last one is over."""
        if not self._under_way:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def stop(self) -> None:
        """Cancel the runs under way, without a word, and start no more."""
        self._is_stopped = True
        for run in list(self._under_way):
            self._end(run, "cancelled")
            self._cancel(run)

    def _choose(self, message: Message) -> _Chosen:
        """Whoever is addressed, alone; else all who hear something of theirs."""
        nick = self._nick_in(message.room) if message.room else None
        addressed = addressed_text(message.body, filter(None, (self._name, nick)), self._prefix)
        if addressed is None and not message.is_public:
            addressed = message.body.strip()
        allowed = [r for r in self._responders if may_answer(self._rooms, message, r.name)]
        if addressed is not None:
            for responder in allowed:
                groups = responder.match(addressed)
                if groups is not None:
                    return [(responder, groups)]
        heard = ((responder, responder.hear(message.body)) for responder in allowed)
        return [(responder, groups) for responder, groups in heard if groups is not None]

    def _start(self, responder: Responder, message: Message, groups: Mapping[str, str]) -> None:
        run = _Run(responder, message)
        self._under_way.add(run)
        if self._at_work[responder.name] >= MAX_RUNS:
            self._got_busy(run)
            return
        self._at_work[responder.name] += 1
        run.limit = self._clock.callLater(responder.timeout, self._got_limit, run)
        run.deferred = maybeDeferred(responder.run, message, groups)
        run.deferred.addBoth(self._got_result, run)
        run.deferred.addErrback(self._got_surprise)

    def _got_result(self, result: Answers | Failure, run: _Run) -> None:
        # What has not ended still counts as at work after its limit, so that
        # runs that ignore being cancelled cannot pile up.
        self._at_work[run.responder.name] -= 1
        if run not in self._under_way:
            self._log.debug("{responder} came too late", responder=run.responder.name)
            return
        answers = Answers(failure=result) if isinstance(result, Failure) else result
        for said in answers.said:
            self._say(run.message.reply(said) if isinstance(said, str) else said)
        if answers.failure is not None:
            self._got_failure(answers.failure, run)
        else:
            self._end(run, "answered" if answers.said else "silent")

    def _got_failure(self, failure: Failure, run: _Run) -> None:
        name, error = run.responder.name, failure.value
        if isinstance(error, Busy):
            self._got_busy(run)
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
        self._end(run, "failed", answer)

    def _got_busy(self, run: _Run) -> None:
        name, sender = run.responder.name, run.message.sender
        self._log.warn("{responder} is busy; refused {sender}", responder=name, sender=sender)
        self._end(run, "busy", f"{name} is busy; try again in a moment.")

    def _got_limit(self, run: _Run) -> None:
        name, limit = run.responder.name, f"{run.responder.timeout:g} s"
        self._log.warn(
            "{responder} did not finish within {limit} for {sender}",
            responder=name,
            limit=limit,
            sender=run.message.sender,
        )
        self._end(run, "timed-out", f"{name} did not finish within {limit}.")
        self._cancel(run)

    def _end(self, run: _Run, fate: str, answer: str = "") -> None:
        """Count ``run`` as over, whatever it still does, and say ``answer`` if there is one."""
        self.fates[fate] += 1
        self._under_way.discard(run)
        if run.limit is not None and run.limit.active():
            run.limit.cancel()
        if answer:
            self._say(run.message.reply(answer))
        if not self._under_way:
            waiting, self._waiting = self._waiting, []
            for deferred in waiting:
                deferred.callback(None)

    def _cancel(self, run: _Run) -> None:
        # A Deferred of someone else's calls someone else's code when cancelled.
        try:
            if run.deferred is not None:
                run.deferred.cancel()
        except KeyboardInterrupt:
            raise
        except BaseException:
            self._log.failure(
                "{responder} failed on being cancelled",
                level=LogLevel.error,
                responder=run.responder.name,
            )

    def _say(self, answer: Message) -> None:
        try:
            self._send(answer)
        except NotConnected as error:
            self.fates["undelivered"] += 1
            self._log.warn(
                "an answer to {recipient} was lost: {reason}",
                recipient=answer.recipient,
                reason=error.reason,
            )
        except Exception:
            self.fates["undelivered"] += 1
            self._log.failure(
                "an answer to {recipient} was lost",
                level=LogLevel.error,
                recipient=answer.recipient,
            )

    def _got_surprise(self, failure: Failure) -> None:
        self._log.failure("a mistake in the dispatcher", failure)
