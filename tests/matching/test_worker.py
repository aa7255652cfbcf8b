"""What :mod:`xbot.matching.worker` promises, whatever becomes of its process."""

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import TestCase

from tests.matching.fake_child import FakeChildren
from xbot.matching import worker
from xbot.matching.pattern import Pattern
from xbot.matching.worker import Asked, Worker

EVIL = Asked(Pattern.match(r"(a*)*\1b"), "evil")
GOOD = Asked(Pattern.hear(r"(?P<x>.)(?!c)"), "good")


class WorkerCase(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.children = FakeChildren()
        self.worker = Worker(self.clock, self.children)
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def find(self, *asked: Asked, text: str = "ab") -> list[Any]:
        """The list that will hold the answer."""
        answers: list[Any] = []
        self.worker.find(text, asked).addCallback(answers.append)
        return answers

    def time_out(self) -> list[Any]:
        """Ask for what takes too long, and let the system end the process for it."""
        answers = self.find(EVIL)
        if not self.children.last.is_killed:
            self.children.last.get_ready()
        self.children.last.got_end()
        return answers

    def logged(self, level: LogLevel) -> list[dict[str, Any]]:
        return [event for event in self.events if event["log_level"] is level]


class AnswersTests(WorkerCase):
    def test_no_process_before_it_is_needed(self) -> None:
        """A worker that is asked nothing starts nothing."""
        self.assertEqual(self.children.started, [])

    def test_answers(self) -> None:
        """For each pattern the groups that took part, or None; one process for all texts."""
        first, second = self.find(EVIL, GOOD), self.find(GOOD, text="xc")
        self.assertEqual((first, self.children.last.asked), ([], []))
        self.children.last.get_ready()
        self.children.last.answer()
        self.assertEqual((first, second), ([[{}, {"x": "a"}]], []))
        self.children.last.answer()
        self.assertEqual(second, [[{"x": "c"}]])
        third = self.find(EVIL, text="c")
        self.children.last.answer()
        self.assertEqual(third, [[None]])
        self.assertEqual((len(self.children.started), self.clock.getDelayedCalls()), (1, []))


class TooLongTests(WorkerCase):
    def test_ended_by_the_system(self) -> None:
        """What took too long, and what stood after it, does not fit; the next text goes on."""
        first, second = self.find(GOOD, EVIL, GOOD), self.find(GOOD)
        self.children.last.get_ready()
        self.children.last.answer(1)
        self.children.last.got_end()
        self.assertEqual(first, [[{"x": "a"}, None, None]])
        (told,) = self.logged(LogLevel.warn)
        self.assertEqual((told["responder"], told["length"]), ("evil", 2))
        self.assertEqual((second, len(self.children.started)), ([], 2))
        self.children.last.get_ready()
        self.children.last.answer()
        self.assertEqual(second, [[{"x": "a"}]])

    def test_killed(self) -> None:
        """A process that does not end by itself is killed, and what it says later is not heard."""
        answers = self.find(EVIL)
        self.children.last.get_ready()
        self.clock.advance(worker.PATIENCE)
        self.assertEqual((answers, self.children.last.is_killed), ([], False))
        self.clock.advance(worker.GRACE)
        self.assertEqual((answers, self.children.last.is_killed), ([[None]], True))
        old, later = self.children.last, self.find(GOOD)
        old.answer()
        old.got_end()
        self.children.last.get_ready()
        self.assertEqual(later, [])
        self.children.last.answer()
        self.assertEqual((later, len(self.children.started)), ([[{"x": "a"}]], 2))

    def test_an_answer_that_was_there_in_time(self) -> None:
        """An answer that we were too busy to read is no pattern's fault."""
        answers = self.find(EVIL)
        self.children.last.get_ready()
        self.clock.advance(worker.PATIENCE)
        self.children.last.answer()
        self.clock.advance(1)
        self.assertEqual((answers, self.children.last.is_killed), ([[{}]], False))
        self.assertEqual(self.worker.counts, {})

    def test_set_aside(self) -> None:
        """A pattern that takes too long again and again is not tried for a while; others are."""
        for _ in range(worker.STRIKES):
            self.assertEqual(self.time_out(), [[None]])
        self.assertEqual(self.worker.counts, {"timed-out": worker.STRIKES, "set-aside": 1})
        (told,) = self.logged(LogLevel.error)
        self.assertEqual(told["responder"], "evil")
        started = len(self.children.started)
        self.assertEqual(self.find(EVIL), [[None]])
        self.assertEqual(len(self.children.started), started)
        both = self.find(EVIL, GOOD, EVIL)
        self.children.last.get_ready()
        self.children.last.answer()
        self.assertEqual(both, [[None, {"x": "a"}, None]])
        self.clock.advance(worker.ASIDE)
        again = self.find(EVIL)
        self.children.last.answer()
        self.assertEqual(again, [[{}]])

    def test_seldom_is_forgiven(self) -> None:
        """A pattern that takes too long now and then is tried on."""
        for _ in range(3 * worker.STRIKES):
            self.assertEqual(self.time_out(), [[None]])
            self.clock.advance(worker.MEMORY / (worker.STRIKES - 1))
        self.assertEqual(self.worker.counts, {"timed-out": 3 * worker.STRIKES})


class BoundsTests(WorkerCase):
    def test_too_many(self) -> None:
        """No more than so many texts wait; those beyond fit nothing, at once."""
        waiting = [self.find(GOOD) for _ in range(worker.MAX_WAITING)]
        self.assertEqual(self.find(GOOD), [[None]])
        self.assertEqual(self.worker.counts, {"refused": 1})
        self.children.last.get_ready()
        for _ in waiting:
            self.children.last.answer()
        self.assertEqual(waiting, [[[{"x": "a"}]]] * worker.MAX_WAITING)

    def test_never_ready(self) -> None:
        """A process that never gets ready is killed, and nobody waits any longer."""
        answers = self.find(GOOD)
        self.clock.advance(worker.MAX_WAIT)
        self.assertEqual((answers, self.children.last.is_killed), ([[None]], True))

    def test_everyone_is_answered_in_time(self) -> None:
        """Who waits behind others waits no longer than the longest wait."""
        waiting = [self.find(EVIL) for _ in range(worker.MAX_WAITING)]
        for _ in range(int(worker.MAX_WAIT / worker.PATIENCE) + 1):
            if not self.children.last.is_killed:
                self.children.last.get_ready()
            self.clock.pump([worker.PATIENCE, worker.GRACE])
        self.assertEqual(waiting, [[[None]]] * worker.MAX_WAITING)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_process(self) -> None:
        """Where no process starts, nothing fits, and it is tried again after a pause."""
        self.children.problem = OSError("no memory")
        self.assertEqual(self.find(GOOD), [[None]])
        self.flushLoggedErrors(OSError)
        self.children.problem = None
        self.assertEqual(self.find(GOOD), [[None]])
        self.clock.advance(worker.PAUSE)
        answers = self.find(GOOD)
        self.children.last.get_ready()
        self.children.last.answer()
        self.assertEqual(answers, [[{"x": "a"}]])

    def test_ends_while_starting(self) -> None:
        """A process that ends before it is ready answers nobody, and nobody waits for it."""
        answers = self.find(GOOD)
        self.children.last.got_end()
        self.assertEqual((answers, len(self.children.started)), ([[None]], 1))

    def test_ends_while_idle(self) -> None:
        """A process that somebody else ended while it had nothing to do is replaced in silence."""
        self.find(GOOD)
        self.children.last.get_ready()
        self.children.last.answer()
        self.children.last.got_end()
        answers = self.find(GOOD)
        self.children.last.get_ready()
        self.children.last.answer()
        self.assertEqual(answers, [[{"x": "a"}]])
        self.assertEqual(self.worker.counts, {})

    def test_stop(self) -> None:
        """The end kills the process, answers everybody, and starts nothing any more."""
        answers = [*self.find(EVIL), *self.find(GOOD)]
        first, second = self.find(EVIL), self.find(GOOD)
        self.children.last.get_ready()
        self.worker.stop()
        self.assertEqual((answers, first, second), ([], [[None]], [[None]]))
        self.assertTrue(self.children.last.is_killed)
        self.assertEqual(self.find(GOOD), [[None]])
        self.assertEqual((len(self.children.started), self.clock.getDelayedCalls()), (1, []))
