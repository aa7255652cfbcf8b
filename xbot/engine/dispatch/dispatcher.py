"""Dispatcher: passes each message through the gates to its responders, and sends answers.

A responder's mistake ends in an answer, a line in the log, or both; it never
reaches the caller.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from xbot.engine.dispatch import interrupted
from xbot.engine.dispatch.approvals import Approvals
from xbot.engine.dispatch.consent import Consent, NoConsent
from xbot.engine.dispatch.duplicates import RecentKeys, log_reused_id
from xbot.engine.dispatch.durability import Durability
from xbot.engine.dispatch.fallbacks import Fallbacks
from xbot.engine.dispatch.filters import Rooms, may_answer, may_have_effects
from xbot.engine.dispatch.gates import (
    ACCESS,
    ARGUMENTS,
    AUTHORS,
    CHOSEN_GATES,
    CONSENT,
    CONVERSATION,
    DELAYED,
    DISPATCHED,
    ECHO,
    EMPTY,
    ENCRYPTED,
    FLOOD,
    JOURNAL,
    RATE,
    REPEATED,
    ROUTING,
    STOPPED,
    TURN,
    WAITING,
    RightsGate,
    RunGate,
    Use,
    checks_of,
    objection,
    reason_to_drop,
)
from xbot.engine.dispatch.interrupted import Deliver, Told
from xbot.engine.dispatch.journal_gate import JournalGate
from xbot.engine.dispatch.limits import Limits, RateExceeded
from xbot.engine.dispatch.missed import Missed
from xbot.engine.dispatch.ordering import Ordering, pass_on
from xbot.engine.dispatch.paging import Paging
from xbot.engine.dispatch.pattern_guard import PatternGuard
from xbot.engine.dispatch.person import name_of
from xbot.engine.dispatch.questions import Questions
from xbot.engine.dispatch.receipt import Receipt, Receipts
from xbot.engine.dispatch.refusals import Refusals
from xbot.engine.dispatch.routing import Routing
from xbot.engine.dispatch.runs import Run, Runs
from xbot.matching.addressed import addressed_text, may_be_addressed
from xbot.matching.matcher import FindsGuarded
from xbot.model.cooldown import Cooldown
from xbot.model.errors import NotConnected
from xbot.model.fair_share import domain_of
from xbot.model.journal_entry import APPROVED, MISSED
from xbot.model.message import Message, reply_to
from xbot.model.random_ids import new_ident
from xbot.model.size_limit import UNBOUNDED, Measure
from xbot.runtime.call_types import TwoStepCall
from xbot.runtime.failures import Failed
from xbot.runtime.responder import Chosen, Responder, Route
from xbot.state.interfaces import IJournal

if TYPE_CHECKING:
    from xbot.engine.dispatch.explain import Explanation

Check = tuple[Callable[["Run"], Any], Callable[["Run", Any], "Deferred[None] | None"]]
"""A gate's predicate, and the handler for a run that it stops.

The handler takes the run and the predicate's true result. It returns None, or a Deferred
that fires, and never fails, once the message is durable or refused.
"""

GotChosen = Callable[[Message, list[Chosen]], Deferred[None] | None]
"""Takes a message and its chosen routes; returns the same as :meth:`Dispatcher.got_message`."""

#: Cooldown of denials: at most this many per minute are answered, logged and journalled, and
#: one per person and responder. All others are only counted.
MAX_DENIALS = 200


#: Answer to an encrypted message: in private at most once a minute for each person, in a room,
#: where it may be meant for others, at most once in this many seconds.
CANNOT_DECRYPT = "I cannot read encrypted messages. Please switch encryption off to talk to me."
ENCRYPTED_ROOM_PERIOD = 3600.0

#: Maximum length of the quoted command of an alias or job, in characters.
MAX_NAMED = 1000

#: Maximum length of a chain of commands that responders hand on with ``bot.obey``.
MAX_HOPS = 3


# A global, for speed: the fast path reads it for most messages of a room.
_UNMATCHED = ROUTING.fate


class Dispatcher:
    """Routes messages to responders, and passes their answers to ``send``.

    - ``name`` and ``prefix`` address the bot, and so does its nick, ``nick_in(room)``.
    - ``rooms``: allow list of responders for each room.
    - ``clock``: the reactor, for time-outs. ``wall_clock``: seconds since 1970.
    - ``limits``: rate limits of senders, rooms and responders (token buckets).
    - ``journal``: a run with effects waits until this has accepted it (write-ahead);
      without a journal nothing waits.
    - ``worker``: searches guarded patterns, which may take long (catastrophic backtracking).
      A message that waits for it holds back later ones of the same place, in FIFO order;
      other places go on.
    - ``ended(run)`` is called for each run that is over.
    - ``measure()``: the current size limit of one message.
    - ``deliver(message, delivered, failed)``: as ``send``, and reports the outcome; without
      it, answers count as delivered once they are sent.
    - ``is_mute(room)``: whether we are in the room but may not speak there.
    - ``affiliation(message)``: the sender's affiliation in the room now; access rules use
      it for a message that waited.

    The steps, in order, are :data:`xbot.engine.dispatch.gates.GATES`. ``fates`` counts the
    gates at which messages and runs end, by the gates' words; messages that pass are
    ``dispatched``, and answers that could not be sent ``undelivered``.
    """

    _log = Logger()

    def __init__(
        self,
        responders: Sequence[Responder],
        send: Callable[[Message], None],
        clock: Any,
        *,
        name: str,
        prefix: str,
        nick_in: Callable[[str], str | None],
        rooms: Rooms,
        journal: IJournal | None = None,
        worker: FindsGuarded | None = None,
        limits: Limits | None = None,
        wall_clock: Callable[[], float] = time.time,
        ended: Callable[[Run], object] = lambda run: None,
        measure: Callable[[], Measure] = lambda: UNBOUNDED,
        affiliation: Callable[[Message], str] = lambda message: message.affiliation,
        deliver: Callable[[Message, Told, Told], None] | None = None,
        is_mute: Callable[[str], bool] = lambda room: False,
    ) -> None:
        self.fates: Counter[str] = Counter()
        self._worker = worker
        self._guard = PatternGuard(
            self.answers_at, self._may_have_searched, self._is_named, wall_clock
        )
        self.responders = tuple(responders)
        self._choosing = Routing(responders, worker, self._guard)
        self._in_order = Ordering()
        self._send = send
        self._deliver = deliver
        self._receipts = Receipts()
        self._name = name
        self._prefix = prefix
        self._nick_in = nick_in
        self._rooms = rooms
        self._wall_clock = wall_clock
        self._limits = limits
        self._refusals = Refusals(clock, self._say)
        self._affiliation = affiliation
        self._more = Paging(clock, self._may_read)
        self._questions = Questions(clock)
        self._runs = Runs(
            clock,
            self._say,
            self._got_end,
            self._more.keep,
            self._questions.ask,
            measure,
            self._may_go_on,
            objection=self._objection_after_wait,
            refuse=self._refuse_busy,
            quote=lambda run: interrupted.quoted(self._command(run.message)),
        )
        self._ended = ended
        self._accepting: JournalGate | None = None
        if journal is not None:
            self.got_journal(journal)
        self._approvals = Approvals(
            clock, self._may_use, self._got_approval, self._say, now=self._now
        )
        self._consent = Consent(
            self._questions,
            self._approvals,
            self._say,
            self._command,
            lambda responder, message: self._may_use(responder, self._now(message)),
            is_mute,
        )
        self._denials = Cooldown(clock, most=MAX_DENIALS)
        self._encrypted = Cooldown(clock), Cooldown(clock, ENCRYPTED_ROOM_PERIOD)
        self._missed = Missed(clock, self._say, self._command, self._is_new)
        self._recent = RecentKeys(seconds=clock.seconds)
        self._fallbacks = Fallbacks()
        self._unsafe = Durability()
        self._is_stopped = False
        chosen_checks = {REPEATED: self._is_repeated, FLOOD: self._is_over}
        self._chosen_checks = tuple((gate.fate, chosen_checks[gate]) for gate in CHOSEN_GATES)
        run_checks: dict[RunGate, Check] = {
            ACCESS: (ACCESS.stops, partial(self._deny, ACCESS)),
            CONVERSATION: (CONVERSATION.stops, partial(self._deny, CONVERSATION)),
            AUTHORS: (self._objection_of_authors, self._got_objection),
            RATE: (self._over_of, self._got_over_rate),
            ARGUMENTS: (self._unreadable, self._got_unreadable),
            WAITING: (lambda run: self._accepting, self._await_entry),
            CONSENT: (self._consent.is_needed, self._await_consent),
            JOURNAL: (lambda run: self._accepting, lambda run, journal: journal.begin(run)),
        }
        # By whether the route has effects.
        self._run_checks = (
            checks_of(run_checks, has_effects=False),
            checks_of(run_checks, has_effects=True),
        )
        asking = partial(checks_of, run_checks, has_effects=True, asks_consent=True)
        self._asking_checks, self._after_entry = asking(), asking(after=WAITING)
        self._after_consent = asking(after=CONSENT)
        #: Whether each dropped message is logged at debug level. If so, there is no fast path.
        self.tells_all = True

    def ignores(self, body: str, room: str, nick: str, *, delayed: bool, echo: bool) -> bool:
        """Fast path: whether no responder can answer ``body`` in ``room``, where we are ``nick``.

        If so, the message is counted as :meth:`got_message` would count it, and is done.
        Most messages of a room end here, before a Message object is made. A prefilter: it
        may return False for a message that no responder answers, but never True for one
        that a responder would answer.
        """
        if self._is_stopped or self.tells_all:
            return False
        if delayed:
            fate = DELAYED.fate
        elif echo:
            fate = ECHO.fate
        elif not (text := body.strip()):
            fate = EMPTY.fate
        elif (
            may_be_addressed(text, (self._name, nick), self._prefix)
            or self._choosing.may_hear(body)
            or self._in_order.is_waiting(room)
            or self._questions
        ):
            return False
        else:
            fate = _UNMATCHED
        self.fates[fate] += 1
        return True

    def got_message(self, message: Message) -> Deferred[None] | None:
        """Pass ``message`` through the gates: answer it, or drop it with a debug log line.

        Returns None if the message is handled now. Otherwise returns a Deferred that fires
        once the message is durable or refused, so that it may be acknowledged; it never
        fails.
        """
        reason = reason_to_drop(message)
        # All devices of one person share one FIFO queue.
        in_private = message.identity or message.sender
        place = message.room if message.is_public and message.room else in_private
        if reason is None and not self._in_order.is_waiting(place):
            return self._deal(message, place, self._answer)
        if reason is None and self._in_order.is_full(place):
            reason = TURN.fate
        if reason is not None:
            if reason == ENCRYPTED.fate:
                self._got_encrypted(message)
            if message.missed and not self._in_order.is_full(place):
                self._in_order.deal(place, lambda: self._deal(message, place, self._missed.got))
            return self._answer(message, [], reason)
        return self._in_order.deal(
            place, lambda: self._deal(self._now(message), place, self._answer)
        )

    def _got_encrypted(self, message: Message) -> None:
        """Tell the sender, once in a while, that the bot cannot read encrypted messages."""
        in_private, in_room = self._encrypted
        who = message.room if message.is_public else name_of(message)
        cooldown = in_room if message.is_public else in_private
        if who and cooldown.allows(who, message.room or domain_of(message.sender)):
            self._say(reply_to(message, CANNOT_DECRYPT))

    def _deal(self, message: Message, place: str, got_chosen: GotChosen) -> Deferred[None] | None:
        """Route ``message`` and pass the result on, now or once a guarded pattern was searched."""
        chosen = [] if self._is_stopped else self._choose(message, self._choosing)
        # Test for the list, not for the Deferred: that test takes ten times as long.
        if isinstance(chosen, list):
            return got_chosen(message, chosen)
        go_on = self._in_order.wait(place)
        safe: Deferred[None] = Deferred()
        chosen.addCallback(lambda chosen: pass_on(got_chosen(self._now(message), chosen), safe))
        chosen.addErrback(lambda failure: self._log.failure("cannot choose", failure))
        chosen.addCallback(lambda _: go_on())
        return safe

    def _answer(
        self, message: Message, chosen: list[Chosen], reason: str | None = None
    ) -> Deferred[None] | None:
        """Run the chosen routes; ``reason`` is the fate if the message was dropped."""
        if self._is_stopped:
            reason, chosen = STOPPED.fate, []
        elif chosen:
            for fate, stops in self._chosen_checks:
                if stops(message, chosen):
                    reason, chosen = fate, []
                    break
        key = message.key
        fate = reason or (DISPATCHED if chosen else _UNMATCHED)
        self.fates[fate] += 1
        if fate == REPEATED.fate and message.live:
            log_reused_id(message)
        elif not chosen:
            self._log.debug("dropped, {fate}: from {sender}", fate=fate, sender=message.sender)
        if fate == REPEATED.fate and key is not None and key in self._unsafe:
            # The first copy is not known to be durable yet: wait with it.
            return self._unsafe.wait(key)
        if not chosen:
            return None
        if key is None:
            message = evolve(message, key=uuid.uuid4().hex)
        if chosen[0][1].pattern is None:
            runs = [self._fallbacks.first(chosen, message)]
        else:
            runs = [Run(responder, route, message, groups) for responder, route, groups in chosen]
        waiting = []
        for run in runs:
            # No comprehension, for speed: it would cost a call for each command.
            if (decided := self._begin(run)) is not None:
                waiting.append(decided)
        if not waiting:
            return None
        assert message.key is not None
        return self._unsafe.until(waiting, message.key)

    def change(
        self,
        responders: Sequence[Responder],
        *,
        name: str,
        prefix: str,
        rooms: Rooms,
    ) -> None:
        """Replace responders and settings (reload), from the next message on.

        Runs under way go on unchanged and still count towards the limits. The keys for
        deduplication are kept.
        """
        self.responders = tuple(responders)
        self._choosing = Routing(responders, self._worker, self._guard)
        self._name = name
        self._prefix = prefix
        self._rooms = rooms

    def got_journal(self, journal: IJournal) -> None:
        """Use ``journal`` from now on; there must have been none before."""
        self._accepting = JournalGate(journal, self._runs, self._may_start)

    @property
    def is_asking(self) -> bool:
        """Whether a question or a request for approval is open."""
        return bool(self._questions) or self._approvals.is_asking

    @property
    def running(self) -> list[str]:
        """Names of the responders with runs under way."""
        return self._runs.running

    def idle(self) -> Deferred[None]:
        """Fires when no run is under way: now, or at the end of the last one."""
        return self._runs.idle()

    def stop(self) -> None:
        """Cancel the runs under way, without an answer, and start no more.

        The next start reports the journalled ones to their senders as interrupted.
        """
        self._is_stopped = True
        self._missed.stop()
        self._refusals.stop()
        self._runs.stop()

    def report_interrupted(self, deliver: Deliver) -> Deferred[None]:
        """Notify senders of commands that a restart interrupted; again if not delivered.

        ``deliver`` is the outbox's function. Fires when it has taken the notices, which
        may be late if the journal does not work yet; never fails.
        """
        if self._accepting is None:
            return succeed(None)
        return interrupted.tell(self._accepting, deliver, self._wall_clock(), self._command)

    # Who answers

    def explain(self, message: Message) -> Explanation:
        """Explain what the dispatcher would do with ``message`` now, without doing it.

        Blocking: it also searches patterns with catastrophic backtracking in this process.
        Use it for tools, not for text of untrusted people (ReDoS).
        """
        from xbot.engine.dispatch.explain import dropped, explain

        reason = reason_to_drop(message)
        if reason is not None:
            return dropped(reason)
        chosen = self._choose(message, Routing(self.responders))
        assert isinstance(chosen, list)
        return explain(
            message,
            self.addressed(message),
            chosen,
            self.responders,
            self._rooms,
            has_journal=self._accepting is not None,
            rates=self._limits.rates(message) if self._limits is not None else (),
        )

    def _choose(self, message: Message, choosing: Routing) -> list[Chosen] | Deferred[list[Chosen]]:
        """The route of an open question, an approval or ``more``; else the routing table's."""
        addressed = self.addressed(message)
        # The answer to an open question comes first, unless it is text that the bot obeys
        # for a person (an alias or a job).
        if not message.hops and (
            expected := self._questions.find(message, addressed)
            or self._approvals.find(addressed)
            or self._more.find(message, addressed)
        ):
            return [expected]
        routes = choosing.choose(addressed, message, self.answers_at)
        unclear = self._questions.unclear(message) if self._questions else None
        if unclear is None or addressed is None or message.hops:
            return routes
        if isinstance(routes, list):
            return _or_unclear(routes, unclear)
        return routes.addCallback(_or_unclear, unclear)

    def answers_at(self, responder: Responder, message: Message) -> bool:
        """Whether the responder may answer in the place of ``message``, to any sender."""
        return may_answer(self._rooms, message, responder.name) and responder.access.is_here(
            message
        )

    def _may_have_searched(self, responder: Responder, route: Route, message: Message) -> bool:
        """Whether the gates of rights pass the sender, and the authors of the words (an alias)."""
        if objection(Use(responder, route, message)) is not None:
            return False
        if not message.authors or not route.effect or route.for_everyone:
            return True
        return all(each is not None and self._may_use(responder, each) for each in message.authors)

    def _is_named(self, message: Message) -> bool:
        """Whether any responder's ``allow`` names the sender of ``message``."""
        rules = (each.access for each in self.responders)
        return any(access.allow is not None and access.allows(message) for access in rules)

    def addressed(self, message: Message) -> str | None:
        """The part of ``message`` that addresses the bot; None if it does not address it."""
        nick = self._nick_in(message.room) if message.room else None
        names = (self._name,) if nick is None else (self._name, nick)
        addressed = addressed_text(message.body, names, self._prefix)
        if addressed is None and not message.is_public:
            addressed = message.body.strip()
        return addressed

    def _command(self, message: Message) -> str:
        """The part of ``message`` that addresses the bot; else all of its text."""
        return self.addressed(message) or message.body

    def obey(self, message: Message, text: str) -> None:
        """Handle ``text`` as a command of the sender of ``message``, in the same place.

        All gates apply again: access rules, rate limits, consent. Idempotent: each text is
        obeyed once per message.

        :raises Failed: when the chain of commands is longer than :data:`MAX_HOPS`.
        """
        if message.hops >= MAX_HOPS:
            raise Failed("That leads from one thing to the next without end.")
        # Handing the message on counts as an answer: the other fallbacks do not run.
        self._fallbacks.forget(message)
        said = f"{self._name}: {text}"
        key = f"{message.key} {text}" if message.key is not None else None
        self.got_message(
            evolve(
                message,
                body=said,
                key=key,
                hops=message.hops + 1,
                # The same text twice is expected here, and no news for the log.
                live=False,
                reply_channel=None,
            )
        )

    # The gates

    def _is_repeated(self, message: Message, chosen: Sequence[Chosen]) -> bool:
        """Deduplicate: whether a message with this key was handled before."""
        return message.key is not None and not self._recent.add(message.key, message.key_lasts)

    def _is_over(self, message: Message, chosen: Sequence[Chosen]) -> bool:
        """Whether ``message`` exceeds a rate limit; that is told, if it addresses the bot."""
        over = self._limits.over(message) if self._limits is not None else None
        if over is None:
            if self._refusals.counts:
                self._refusals.passed(message)
            return False
        if any(route.kind != "hear" for _, route, _ in chosen):
            self._refuse_over(message, over)
        return True

    def _refuse_over(self, message: Message, over: RateExceeded) -> None:
        self._refusals.refuse(message, over.cause, over.reason, over.wait, is_first=over.is_first)

    def _begin(self, run: Run, checks: Sequence[Check] | None = None) -> Deferred[None] | None:
        """Start ``run`` if it passes ``checks``, by default those of all gates.

        Returns None, or the Deferred of the gate that stopped it or makes it wait.
        """
        if checks is None:
            effect = run.route.effect
            is_asking = effect and self._consent.is_needed(run)
            checks = self._asking_checks if is_asking else self._run_checks[effect]
        for asks, got_stopped in checks:
            if answer := asks(run):
                return got_stopped(run, answer)
        self._runs.start(run)
        return None

    def _refuse_busy(self, run: Run, reason: str) -> None:
        if run.route.kind != "hear":
            self._refusals.refuse(run.message, reason, reason)

    def _objection_after_wait(self, run: Run) -> str:
        """Why the sender of a run that waited for its turn may not use it now; "" if they may."""
        message, responder = self._now(run.message), run.responder
        is_allowed = run.route.for_everyone or responder.access.allows(message)
        # Compare by identity: after a reload, a responder of the same name may do something else.
        is_there = any(each is responder for each in self.responders)
        if not (is_allowed and is_there and self.answers_at(responder, message)):
            return (
                f"{interrupted.quoted(self._command(message))} is not done: {responder.name} has"
                " changed meanwhile, or you may no longer use it."
            )
        return (self._objection_of_authors(run) or "") if run.route.effect else ""

    def _objection_of_authors(self, run: Run) -> str | None:
        """Why an author of the text may not run this; None if all authors may, or there are none.

        Prevents a confused deputy: a person who may not use a responder could write an
        alias that makes permitted people run it.
        """
        name, route = run.responder.name, run.route
        if not run.message.authors or route.for_everyone:
            return None
        for author in run.message.authors:
            if author is None:
                return (
                    f"{self._quoted(run)} is not run: it is not known who chose these words, and"
                    f" {name} has effects. They have to be added again by a person who may use it."
                )
            if not self._may_use(run.responder, author):
                return (
                    f"{self._quoted(run)} is not run: the person who chose these words may not"
                    f" use {name} here. Say it in full if you mean it."
                )
        if not self._consent.is_needed(run) and route.kind != "hear":
            # With consent, the question quotes the command already.
            run.notice = f"This runs {self._quoted(run)}."
        return None

    def _quoted(self, run: Run) -> str:
        # Quote as much as possible: a hidden end of the command could be the dangerous part.
        return f'"{interrupted.one_line(self._command(run.message), MAX_NAMED)}"'

    def _over_of(self, run: Run) -> RateExceeded | None:
        if self._limits is None:
            return None
        return self._limits.exceeded_for(run.responder, run.message)

    def _got_over_rate(self, run: Run, over: RateExceeded) -> None:
        if run.route.kind != "hear":
            self._refuse_over(run.message, over)
        self._runs.end(run, RATE.fate)

    def _unreadable(self, run: Run) -> Failure | None:
        """Why the arguments are invalid; None if they are valid, and kept for after consent."""
        call = run.route.call
        if not isinstance(call, TwoStepCall):
            return None
        try:
            run.prepared = call.prepare(run.message, run.groups)
        except Exception:
            return Failure()
        return None

    def _got_unreadable(self, run: Run, failure: Failure) -> None:
        """End a run with invalid arguments, and journal that."""
        self._runs.got_failure(failure, run)
        if self._accepting is not None:
            self._accepting.got_refused(run)

    def _await_entry(self, run: Run, journal: JournalGate) -> Deferred[None]:
        """Journal that the run waits; later pass the remaining gates."""
        return journal.wait(run, lambda: self._begin(run, self._after_entry))

    def _await_consent(self, run: Run, _: object) -> None:
        """Ask for consent; later pass the remaining gates, or end the run."""
        consent = self._consent.ask(run)
        self._runs.await_consent(run, consent)
        consent.addCallbacks(
            lambda _: self._begin(run, self._after_consent),
            self._got_no_consent,
            errbackArgs=(run,),
        )

    def _deny(self, gate: RightsGate, run: Run, _: object) -> None:
        """End ``run``: the access rule of ``gate`` denies it to the sender."""
        self._refuse(gate, run, lambda: gate.answer(run))

    def _got_objection(self, run: Run, objection: str) -> None:
        self._refuse(AUTHORS, run, lambda: objection)

    def _refuse(self, gate: RunGate, run: Run, answer: Callable[[], str]) -> None:
        """End ``run`` at ``gate``, and answer if it was a command; with a cooldown of denials."""
        name, sender = run.responder.name, run.message.sender
        who = name_of(run.message)
        if not self._denials.allows(f"{name} {who}", run.message.room or domain_of(who)):
            self._runs.end(run, gate.fate)
            return
        self._log.warn("denied {responder} to {sender}", responder=name, sender=sender)
        is_asked = run.route.kind == "match"
        self._runs.end(run, gate.fate, answer() if is_asked else "")
        if self._accepting is not None and run.route.effect:
            self._accepting.got_refused(run)

    def _got_no_consent(self, failure: Failure, run: Run) -> None:
        """End a run without consent, and journal that."""
        if run.fate is not None:
            # The bot is stopping, and has ended the run already.
            return
        error = failure.value
        if not isinstance(error, NoConsent):
            self._log.failure("internal error in asking for consent", failure)
            error = NoConsent("failed", f"{run.responder.name} failed; the log says why.")
        self._runs.end(run, error.fate, error.answer)
        if self._accepting is not None:
            self._accepting.got_refused(run)

    def _got_approval(self, message: Message, name: str) -> None:
        if self._accepting is not None:
            self._accepting.note(message, name, APPROVED)

    def _may_use(self, responder: Responder, message: Message) -> bool:
        """Whether the sender of ``message`` may use the responder, by the current rules."""
        # Compare by identity: after a reload, a responder of the same name may do something else.
        is_there = any(each is responder for each in self.responders)
        is_here = is_there and self.answers_at(responder, message)
        # Only called for routes with effects.
        return is_here and may_have_effects(message) and responder.access.allows(message)

    def _now(self, message: Message) -> Message:
        """``message`` with its sender's current affiliation, for one that waited."""
        if message.room is None:
            return message
        affiliation = self._affiliation(message)
        if affiliation == message.affiliation:
            return message
        return evolve(message, affiliation=affiliation)

    def _may_start(self, run: Run) -> bool:
        """Whether the sender still has access, after the run waited for the journal."""
        return run.route.for_everyone or run.responder.access.allows(self._now(run.message))

    def _may_go_on(self, run: Run, answer: Message) -> bool:
        """Whether the sender of ``answer`` still has access to the run that asked them."""
        return run.route.for_everyone or run.responder.access.allows(answer)

    def _may_read(self, responder: Responder, route: Route, message: Message) -> bool:
        """Whether the sender of ``message`` may read the kept pages, by the current rules."""
        current = next((each for each in self.responders if each.name == responder.name), None)
        return current is not None and (route.for_everyone or current.access.allows(message))

    def _is_new(self, message: Message, chosen: Chosen) -> Deferred[bool]:
        """Deduplicate a missed command: whether it is new; records it as missed if so.

        The command may have run already, before our server got the acknowledgement.
        """
        responder, route, _ = chosen
        if message.key is not None and not self._recent.add(message.key, message.key_lasts):
            return succeed(False)
        if self._accepting is None or not route.effect:
            return succeed(True)
        if message.key is None:
            message = evolve(message, key=uuid.uuid4().hex)
        return self._accepting.is_new(message, responder.name, MISSED)

    def _got_end(self, run: Run) -> None:
        self.fates[str(run.fate)] += 1
        if self._accepting is not None:
            self._accepting.got_end(run)
        self._ended(run)
        if not self._is_stopped and (following := self._fallbacks.after(run)) is not None:
            self._begin(following)

    # Answers

    def got_lost(self, answer: Message) -> None:
        """Count an answer that the outbox dropped, or that came back after it had arrived."""
        self.fates["undelivered"] += 1
        self._receipts.got_lost(answer)

    def _got_failed(self, receipt: Receipt) -> None:
        self.fates["undelivered"] += 1
        receipt.got_failed()

    def _say(self, answer: Message, receipt: Receipt | None = None) -> None:
        """Send an answer; one that cannot be sent is logged and counted, and never raises."""
        try:
            if receipt is None or self._deliver is None:
                self._send(answer)
                return
            if "id" not in answer.payload:
                answer = answer.with_id(new_ident())
            receipt.sent()
            self._receipts.add(answer, receipt)
            self._deliver(answer, receipt.got_delivered, partial(self._got_failed, receipt))
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


def _or_unclear(routes: list[Chosen], unclear: Chosen) -> list[Chosen]:
    """``routes`` if they are more than fallbacks; else the hint to an open question."""
    return routes if routes and routes[0][1].pattern is not None else [unclear]
