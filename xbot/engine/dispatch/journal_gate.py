"""Write-ahead gate: a run with side effects starts only after it is journalled, and only once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from xbot.engine.dispatch.duplicates import log_reused_id
from xbot.engine.dispatch.runs import Run, Runs
from xbot.model.access import refusal
from xbot.model.file_state import FileUnavailable
from xbot.model.journal_entry import (
    ANSWERED,
    CUT,
    INTERRUPTED,
    LAPSED,
    REFUSED,
    UNSAID,
    WAITING,
    Entry,
)
from xbot.model.message import Message
from xbot.state.interfaces import IJournal

#: Seconds that a command waits for the journal's disk before it is refused.
ACCEPT_TIMEOUT = 30.0

#: Seconds of such a wait after which the sender's rights are checked again.
RECHECK_AFTER = 1.0


class JournalGate:
    """Starts the runs that ``journal`` accepts, and journals their outcomes.

    ``may_start`` checks the sender's rights again for a run that waited long for it.
    """

    _log = Logger()

    def __init__(
        self,
        journal: IJournal,
        runs: Runs,
        may_start: Callable[[Run], bool] = lambda run: True,
    ) -> None:
        self._journal = journal
        self._runs = runs
        self._may_start = may_start

    def begin(self, run: Run) -> Deferred[None]:
        """Start ``run`` if the journal accepts it; fires, and never fails, once that is decided.

        By then the message is durable, or the sender was told that it does not run.
        """
        run.is_waiting = False
        entry = run.entry
        # Later commands of the same person come after this one.
        self._runs.reserve(run)

        def accept() -> Deferred[int | None]:
            if entry is None:
                return self._journal.accept(run.message, run.responder.name)
            # It waited for consent: its entry is only updated.
            return self._journal.agree(entry).addCallback(lambda _: entry)

        return self._when_accepted(run, accept, lambda: self._runs.start(run))

    def wait(self, run: Run, go_on: Callable[[], object]) -> Deferred[None]:
        """Journal that ``run`` waits for consent, then ``go_on()``; fires like :meth:`begin`.

        So people are asked only about what the journal can take, and a restarted bot
        reports as lapsed what they were asked about.
        """
        run.is_waiting = True
        return self._when_accepted(
            run, lambda: self._journal.accept(run.message, run.responder.name, WAITING), go_on
        )

    def _when_accepted(
        self, run: Run, accept: Callable[[], Deferred[int | None]], go_on: Callable[[], object]
    ) -> Deferred[None]:
        """Call ``go_on()`` once the journal has accepted the run; else end it."""
        decided: Deferred[None] = Deferred()
        began = self._runs.clock.seconds()

        def too_late(run: Run) -> None:
            self._refuse(run, "it takes too long")
            decided.callback(None)

        def decide(result: int | Failure | None) -> None:
            try:
                self._got_answer(result, run, self._runs.clock.seconds() - began, go_on)
            finally:
                if not decided.called:
                    decided.callback(None)

        self._runs.await_start(run, ACCEPT_TIMEOUT, too_late)
        try:
            accepted = accept()
        except Exception:
            # A broken journal refuses: else the run would keep its place in the queue for long.
            accepted = fail(Failure())
        accepted.addBoth(decide).addErrback(self.got_problem)
        return decided

    def got_refused(self, run: Run) -> None:
        """Journal the fate of a run that was refused before :meth:`begin`."""
        self.note(run.message, run.responder.name, str(run.fate))

    def note(self, message: Message, responder: str, outcome: str) -> None:
        """Journal a message about a responder's run (such as an approval), and its outcome."""
        self._journal.note(message, responder, outcome).addErrback(self.got_problem)

    def is_new(self, message: Message, responder: str, outcome: str) -> Deferred[bool]:
        """Journal the outcome of a message that does not run, unless it is known already.

        Fires with whether it was new, and never fails: when the journal is
        unavailable the message counts as new.
        """

        def got(number: int | None) -> bool:
            if number is not None:
                self._journal.finish(number, outcome).addErrback(self.got_problem)
            return number is not None

        def got_problem(failure: Failure) -> bool:
            self.got_problem(failure)
            return True

        return self._journal.accept(message, responder).addCallbacks(got, got_problem)

    def interrupted(self) -> Deferred[list[Entry]]:
        """Entries that were accepted, but not finished, when the bot ended."""
        return self._journal.interrupted()

    def got_reported(self, entries: Iterable[Entry]) -> None:
        """Mark these interrupted entries as reported."""
        for entry in entries:
            self._journal.reported(entry.number).addErrback(self.got_problem)

    def got_end(self, run: Run) -> None:
        """Journal the fate of a run that is over, once its answers arrived or failed.

        If the process ends before that, the next one reports the command as interrupted.
        """
        entry = run.entry
        if entry is None:
            return
        if run.fate == "cancelled":
            # A clean stop cancels the run; for the sender that is an interruption.
            self._finish(entry, LAPSED if run.is_waiting else INTERRUPTED)
            return
        fate, cut = str(run.fate), (CUT,) if run.output.cut else ()
        said = ", ".join((fate, *cut))
        if run.receipt is None:
            self._finish(entry, said)
            return
        # An answer in the place of "answered", and a note behind any other outcome.
        unsaid = ", ".join((UNSAID, *cut) if fate == ANSWERED else (fate, *cut, UNSAID))
        run.receipt.settle(lambda is_said: self._finish(entry, said if is_said else unsaid))

    def _finish(self, entry: int, outcome: str) -> None:
        self._journal.finish(entry, outcome).addErrback(self.got_problem)

    def got_problem(self, failure: Failure) -> None:
        """Log a failure of the journal; an errback for its Deferreds."""
        if isinstance(failure.value, FileUnavailable):
            self._log.warn("not journalled: {reason}", reason=failure.value.reason)
        else:
            self._log.failure("internal error in the journal", failure)

    def _got_answer(
        self,
        result: int | Failure | None,
        run: Run,
        waited: float,
        go_on: Callable[[], object],
    ) -> None:
        """Go on, or end the run, by the journal's answer: a number, None (duplicate), a failure."""
        if isinstance(result, int):
            run.entry = result
        if run.fate is not None:
            # Timed out, or stopped, before the journal answered.
            self.got_end(run)
        elif isinstance(result, Failure):
            error = result.value
            if isinstance(error, FileUnavailable):
                self._refuse(run, error.reason)
            else:
                self._log.failure("internal error in the journal", result)
                self._refuse(run, str(error))
        elif result is None:
            if run.message.live:
                log_reused_id(run.message)
            self._runs.end(run, "duplicate")
        elif waited >= RECHECK_AFTER and not self._may_start(run):
            self._log.warn(
                "denied {responder} to {sender}, after a wait for the journal",
                responder=run.responder.name,
                sender=run.message.sender,
            )
            self._runs.end(run, "denied", refusal(run.responder.name, run.message))
        else:
            go_on()

    def _refuse(self, run: Run, reason: str) -> None:
        name = run.responder.name
        self._log.warn(
            "refused {responder} for {sender}: not journalled, {reason}",
            responder=name,
            sender=run.message.sender,
            reason=reason,
        )
        self._runs.end(run, REFUSED, f"{name} cannot run now: its journal is not writable.")
