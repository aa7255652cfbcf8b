"""Tests of ``journal_gate`` and the dispatcher: runs with side effects are journalled first."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.logger import LogLevel

from tests.engine.dispatch.test_dispatcher import DIRECT, IN_ROOM, ROOM, DispatcherCase, responder
from xbot.api.decorators import hear
from xbot.config.settings import MAX_RUNS
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.engine.dispatch.journal_gate import ACCEPT_TIMEOUT
from xbot.engine.dispatch.run_queue import MAX_WAITING
from xbot.model.message import Message
from xbot.runtime.answers import MAX_LENGTH
from xbot.runtime.responder import Responder
from xbot.testing.journal import MemoryJournal

REFUSAL = "go cannot run now: its journal is not writable."


def with_effect(responder: Responder, effect: bool) -> Responder:
    """The same responder, with or without side effects."""
    routes = tuple(evolve(route, effect=effect) for route in responder.routes)
    return evolve(responder, routes=routes)


class JournalledCase(DispatcherCase):
    def setUp(self) -> None:
        super().setUp()
        self.journal = MemoryJournal()
        self.ends: list[Deferred[str]] = []

        async def go(message: Message) -> str:
            self.ends.append(Deferred())
            return await self.ends[-1]

        self.go = responder(go, timeout=5.0)
        self.key = 0

    def dispatcher(self, *responders: Any, **options: Any) -> Dispatcher:
        return Dispatcher(
            responders or [self.go],
            options.get("send", self.sent.append),
            self.clock,
            name="xbot",
            prefix="!",
            nick_in=lambda room: self.nick,
            rooms=self.rooms,
            journal=self.journal,
            wall_clock=lambda: self.journal.now,
        )

    def message(self, key: str | None = None, **changes: Any) -> Message:
        self.key += 1
        return evolve(IN_ROOM, key=key or f"key {self.key}", **changes)

    def outcomes(self) -> list[str | None]:
        return [entry.outcome for entry in self.journal.entries.values()]


class OrderTests(JournalledCase):
    def test_journalled_first(self) -> None:
        """It runs once it is on the disk, not before, and then its outcome is noted."""
        self.journal.is_slow = True
        dispatcher = self.dispatcher()
        safe = dispatcher.got_message(self.message())
        assert safe is not None
        self.assertNoResult(safe)
        self.assertEqual(self.ends, [])
        self.journal.catch_up()
        self.successResultOf(safe)
        self.assertEqual(self.outcomes(), [None])
        self.ends[0].callback("went")
        self.assertEqual(self.said(), ["went"])
        self.assertEqual(self.outcomes(), ["answered"])
        self.assertEqual(dispatcher.fates, {"dispatched": 1, "answered": 1})

    def test_limit_begins_with_the_run(self) -> None:
        """The wait for the disk takes nothing from the run's own time."""
        self.journal.is_slow = True
        dispatcher = self.dispatcher()
        dispatcher.got_message(self.message())
        self.clock.advance(20)
        self.journal.catch_up()
        self.clock.advance(4.9)
        self.assertEqual(self.said(), [])
        self.clock.advance(0.1)
        self.assertEqual(self.said(), ["go did not finish within 5 s."])
        self.assertEqual(self.outcomes(), ["timed-out"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_pure(self) -> None:
        """What only answers waits for nothing, needs no disk, and leaves no entry."""
        self.journal.problem = "disk full"
        dispatcher = self.dispatcher(with_effect(self.go, False))
        self.assertIsNone(dispatcher.got_message(self.message()))
        self.ends[0].callback("went")
        self.assertEqual(self.said(), ["went"])
        self.assertEqual(self.outcomes(), [])

    def test_nothing_to_journal(self) -> None:
        """What is dropped or nobody's needs no waiting."""
        dispatcher = self.dispatcher()
        self.assertIsNone(dispatcher.got_message(self.message(delayed=True)))
        self.assertIsNone(dispatcher.got_message(self.message(body="hello")))

    def test_outcomes(self) -> None:
        """Each end of a run is its entry's outcome."""

        async def failing(message: Message) -> None:
            raise ValueError

        async def quiet(message: Message) -> None: ...

        for function, outcome in ((failing, "failed"), (quiet, "silent")):
            self.journal = MemoryJournal()
            self.dispatcher(responder(function)).got_message(self.message())
            self.assertEqual(self.outcomes(), [outcome])
        self.flushLoggedErrors(ValueError)
        self.journal = MemoryJournal()
        dispatcher = self.dispatcher()
        taken = MAX_RUNS + MAX_WAITING
        for number in range(taken + 1):
            dispatcher.got_message(self.message(sender=f"{ROOM}/{number}", identity=None))
        self.assertEqual(self.outcomes(), [None] * taken + ["busy"])

    def test_cut(self) -> None:
        """What says more than is shown runs to its end; the log and the journal say that it is cut.

        So it is with what is yielded, replied, and returned in one piece or in many.
        """
        done: list[str] = []

        async def yields(message: Message) -> AsyncIterator[str]:
            for number in range(50):
                yield str(number)
            done.append("yields")

        def yields_in_thread(message: Message) -> Iterator[str]:
            for number in range(50):
                yield str(number)
            done.append("yields_in_thread")

        async def replies(message: Message) -> None:
            for number in range(50):
                message.reply(str(number))
            done.append("replies")

        async def returns(message: Message) -> list[str]:
            return list(map(str, range(50)))

        async def at_length(message: Message) -> list[str]:
            return ["x" * MAX_LENGTH, "y"]

        async def in_full(message: Message) -> list[str]:
            return list(map(str, range(10)))

        for function, mark, place in (
            (yields, "[cut after 10 messages]", -1),
            (yields_in_thread, "[cut after 10 messages]", -1),
            (replies, "[cut after 10 messages]", -1),
            (returns, "[cut after 10 messages]\n0", 0),
            (at_length, "[cut at 65,536 characters]", 3),
        ):
            self.sent.clear()
            self.events.clear()
            self.dispatcher(responder(function)).got_message(self.message())
            self.clock.advance(0)
            self.assertEqual(self.sent[place].body, mark, function)
            self.assertEqual(
                self.journal.entries[max(self.journal.entries)].outcome, "answered, cut"
            )
            (line,) = self.logged(LogLevel.warn)
            self.assertTrue(line["cut"].startswith("only the first "), function)
        self.assertEqual(done, ["yields", "yields_in_thread", "replies"])
        self.dispatcher(responder(in_full)).got_message(self.message())
        self.assertEqual(self.journal.entries[max(self.journal.entries)].outcome, "answered")

    def test_idle(self) -> None:
        """What waits for the disk is under way."""
        self.journal.is_slow = True
        dispatcher = self.dispatcher()
        dispatcher.got_message(self.message())
        idle = dispatcher.idle()
        self.assertNoResult(idle)
        self.journal.catch_up()
        self.ends[0].callback("went")
        self.successResultOf(idle)


class DuplicateTests(JournalledCase):
    def test_same_process(self) -> None:
        """A message that comes twice runs once, with effects or without, whatever came of it."""
        for effect in (True, False):
            self.ends.clear()
            dispatcher = self.dispatcher(with_effect(self.go, effect))
            message = self.message()
            for _ in range(3):
                dispatcher.got_message(message)
            self.assertEqual(len(self.ends), 1)
            self.assertEqual(dispatcher.fates, {"dispatched": 1, "duplicate": 2})

    def test_next_process(self) -> None:
        """A message that an earlier process accepted does not run in this one."""
        message = self.message()
        self.dispatcher().got_message(message)
        self.journal = self.journal.restarted()
        dispatcher = self.dispatcher()
        safe = dispatcher.got_message(message)
        assert safe is not None
        self.successResultOf(safe)
        self.assertEqual(len(self.ends), 1)
        self.assertEqual(dispatcher.fates, {"dispatched": 1, "duplicate": 1})
        self.assertEqual(self.said(), [])
        self.successResultOf(dispatcher.idle())

    def test_ids_of_senders(self) -> None:
        """A sender's id that is used again is another command, once a resend is impossible.

        Until then it is a duplicate, which the log has at info; in the next process, too.
        """
        message = self.message(key_lasts=180.0, live=True)

        def pass_time(seconds: float) -> None:
            self.clock.advance(seconds)
            self.journal.now += seconds

        for effect in (True, False):
            self.ends.clear()
            dispatcher = self.dispatcher(with_effect(self.go, effect))
            for seconds, runs in ((0.0, 1), (180.0, 1), (0.5, 2), (1.0, 2), (2592000.0, 3)):
                pass_time(seconds)
                dispatcher.got_message(message)
                self.assertEqual(len(self.ends), runs)
            self.assertEqual(dispatcher.fates["duplicate"], 2)
            self.assertEqual(len(self.logged(LogLevel.info)), 2)
            self.events.clear()
            pass_time(181.0)
        self.ends.clear()
        self.dispatcher().got_message(message)
        for seconds, runs in ((100.0, 1), (81.0, 2)):
            pass_time(seconds)
            self.journal = self.journal.restarted()
            self.dispatcher().got_message(message)
            self.assertEqual(len(self.ends), runs)
        self.assertEqual(len(self.logged(LogLevel.info)), 1)

    def test_expected_duplicates(self) -> None:
        """The server's resend of a message of any age does not run, and is no news for the log."""
        dispatcher = self.dispatcher()
        message = self.message(key_lasts=180.0, live=True)
        dispatcher.got_message(message)
        for seconds in (1.0, 2592000.0):
            self.clock.advance(seconds)
            self.journal.now += seconds
            dispatcher.got_message(evolve(message, key_lasts=None, live=False))
            self.dispatcher().got_message(evolve(message, key_lasts=None, live=False))
        self.assertEqual(len(self.ends), 1)
        self.assertEqual(dispatcher.fates["duplicate"], 2)
        self.assertEqual(self.logged(LogLevel.info), [])

    def test_refused_stays_refused(self) -> None:
        """What was answered with a refusal does not run when it is sent again."""
        self.journal.problem = "disk full"
        dispatcher = self.dispatcher()
        message = self.message()
        dispatcher.got_message(message)
        self.journal.problem = None
        dispatcher.got_message(message)
        self.assertEqual((self.said(), self.ends), ([REFUSAL], []))

    def test_acknowledged_together(self) -> None:
        """A copy may be acknowledged when the first is on the disk, not before."""
        self.journal.is_slow = True
        dispatcher = self.dispatcher()
        message = self.message()
        waiting = [dispatcher.got_message(message) for _ in range(2)]
        for each in waiting:
            assert each is not None
            self.assertNoResult(each)
        self.journal.catch_up()
        for each in waiting:
            self.successResultOf(each)
        self.assertIsNone(dispatcher.got_message(message))

    def test_without_key(self) -> None:
        """Messages that cannot be recognised are all different."""
        dispatcher = self.dispatcher()
        for name in "ab":
            dispatcher.got_message(evolve(IN_ROOM, sender=f"{ROOM}/{name}"))
        self.assertEqual(len(self.ends), 2)
        self.assertEqual(self.outcomes(), [None, None])

    def test_several_who_hear(self) -> None:
        """Each responder that hears a message has an entry; it is safe with the last of them."""

        @hear("tea")
        async def one(message: Message) -> str:
            return "one"

        @hear("tea")
        async def two(message: Message) -> str:
            return "two"

        self.journal.is_slow = True
        safe = self.dispatcher(responder(one), responder(two)).got_message(self.message(body="tea"))
        assert safe is not None
        answers, self.journal._answers = self.journal._answers, []
        answers[0][0].callback(answers[0][1])
        self.assertNoResult(safe)
        answers[1][0].callback(answers[1][1])
        self.successResultOf(safe)
        self.assertEqual(self.said(), ["one", "two"])
        self.assertEqual(self.outcomes(), ["answered", "answered"])


class RefusalTests(JournalledCase):
    def test_disk_full(self) -> None:
        """What cannot be journalled does not run, says so politely, and lets the stream go on."""
        self.journal.problem = "disk full"
        dispatcher = self.dispatcher()
        safe = dispatcher.got_message(self.message())
        assert safe is not None
        self.successResultOf(safe)
        self.assertEqual((self.said(), self.ends), ([REFUSAL], []))
        self.assertEqual(dispatcher.fates, {"dispatched": 1, "refused": 1})
        self.assertEqual(len(self.logged(LogLevel.warn)), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stuck_disk(self) -> None:
        """A disk that does not answer is a refusal in the end, and its late answer runs nothing."""
        self.journal.is_slow = True
        dispatcher = self.dispatcher()
        safe = dispatcher.got_message(self.message())
        assert safe is not None
        self.clock.advance(ACCEPT_TIMEOUT)
        self.successResultOf(safe)
        self.assertEqual(self.said(), [REFUSAL])
        self.journal.catch_up()
        self.assertEqual((self.said(), self.ends), ([], []))
        self.assertEqual(self.outcomes(), ["refused"])

    def test_mistake(self) -> None:
        """A mistake in the journal is a refusal, logged, and nobody waits for ever."""
        self.patch(self.journal, "accept", lambda *_: fail(ValueError("ours")))
        safe = self.dispatcher().got_message(self.message())
        assert safe is not None
        self.successResultOf(safe)
        self.assertEqual(self.said(), [REFUSAL])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class StopTests(JournalledCase):
    def test_under_way(self) -> None:
        """What a clean stop cancels is interrupted, for the next process to tell."""
        dispatcher = self.dispatcher()
        dispatcher.got_message(self.message())
        dispatcher.stop()
        self.assertEqual(self.outcomes(), ["interrupted"])
        self.assertEqual(dispatcher.fates, {"dispatched": 1, "cancelled": 1})

    def test_not_started(self) -> None:
        """What was being accepted when we stopped does not run, and is told as well."""
        self.journal.is_slow = True
        dispatcher = self.dispatcher()
        safe = dispatcher.got_message(self.message())
        assert safe is not None
        dispatcher.stop()
        self.journal.catch_up()
        self.successResultOf(safe)
        self.assertEqual((self.ends, self.outcomes()), ([], ["interrupted"]))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ReportTests(JournalledCase):
    arrives = True
    is_unsayable = False

    def interrupt(self, *messages: Message) -> None:
        dispatcher = self.dispatcher()
        self.journal.now = time.mktime((2026, 11, 21, 9, 13, 0, 0, 0, -1))
        for message in messages:
            dispatcher.got_message(message)
        self.journal = self.journal.restarted()

    def deliver(
        self,
        message: Message,
        delivered: Callable[[], None],
        failed: Callable[[], None],
        dropped: object,
    ) -> None:
        """An outbox whose link is as good as ``arrives`` says."""
        if self.is_unsayable:
            failed()
        elif self.arrives:
            self.sent.append(message)
            delivered()

    def report(self, **options: Any) -> Dispatcher:
        dispatcher = self.dispatcher(**options)
        self.successResultOf(dispatcher.report_interrupted(self.deliver))
        return dispatcher

    def test_told_once(self) -> None:
        """The room is told what was interrupted, without the bot's name, and only once."""
        self.interrupt(self.message())
        for expected in (1, 0):
            self.report()
            self.assertEqual(len(self.sent), expected)
            for message in self.sent:
                self.assertEqual(
                    message,
                    Message(
                        f"{ROOM}/xbot",
                        ROOM,
                        '"go" (alice, 09:13) was interrupted by a restart, or its answer was lost;'
                        " say it again to run it again",
                        {"type": "groupchat"},
                        room=ROOM,
                    ),
                )
            self.sent.clear()
            self.journal = self.journal.restarted()
        self.assertEqual(len(self.ends), 1)

    def test_direct(self) -> None:
        """Whoever asked in private is told in private."""
        self.interrupt(evolve(DIRECT, key="1"))
        self.report()
        self.assertEqual([m.recipient for m in self.sent], ["a@example.org/x"])
        self.assertIn("(a, 09:13)", self.sent[0].body)

    def test_finished(self) -> None:
        """What has an outcome is not told."""
        dispatcher = self.dispatcher()
        dispatcher.got_message(self.message())
        self.ends[0].callback("went")
        self.journal = self.journal.restarted()
        self.sent.clear()
        self.report()
        self.assertEqual(self.sent, [])

    def test_not_delivered(self) -> None:
        """What did not arrive is told after the next start."""
        self.interrupt(self.message())
        self.arrives = False
        self.report()
        self.arrives = True
        self.journal = self.journal.restarted()
        self.report()
        self.assertEqual(len(self.sent), 1)

    def test_cannot_be_told(self) -> None:
        """What can never be said is not tried again by each process after this one."""
        self.interrupt(self.message())
        self.is_unsayable = True
        self.report()
        self.is_unsayable = False
        self.journal = self.journal.restarted()
        self.report()
        self.assertEqual(self.sent, [])

    def test_without_a_journal(self) -> None:
        """Without a journal there is nothing to tell, and everything runs at once."""
        dispatcher = DispatcherCase.dispatcher(self, self.go)
        self.successResultOf(dispatcher.report_interrupted(self.deliver))
        self.assertIsNone(dispatcher.got_message(self.message()))
        self.assertEqual(len(self.ends), 1)

    def test_broken_journal(self) -> None:
        """A journal that cannot tell is logged, and ends nothing."""
        self.patch(self.journal, "interrupted", lambda: fail(ValueError("ours")))
        self.report()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
