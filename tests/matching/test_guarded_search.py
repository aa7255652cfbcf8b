"""Tests of :mod:`xbot.matching.guarded_search`, also with threads that get stuck."""

from typing import Any

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import TestCase

from tests.matching.threads import FakeThreads
from xbot.matching import breaker, guarded_search, regex_search
from xbot.matching.guarded_search import GuardedSearch, OwnedPattern
from xbot.matching.pattern import Pattern
from xbot.matching.regex_search import Unreadable

EVIL = OwnedPattern(Pattern.match(r"(a*)*\1b"), "evil")
GOOD = OwnedPattern(Pattern.hear(r"(?P<x>.)(?!c)"), "good")


class GuardedSearchCase(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.threads = FakeThreads()
        self.guarded = GuardedSearch(self.clock, self.threads)
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def find(self, *asked: OwnedPattern, text: str = "ab") -> list[Any]:
        """The list that will hold the answer."""
        answers: list[Any] = []
        self.guarded.find(text, asked).addCallback(answers.append)
        return answers

    def time_out(self) -> list[Any]:
        """Ask for what takes too long."""
        answers = self.find(EVIL)
        self.threads.time_out()
        return answers

    def get_stuck(self) -> list[Any]:
        """Ask for what does not even notice that it takes too long."""
        answers = self.find(EVIL)
        self.clock.advance(guarded_search.PATIENCE)
        return answers

    def logged(self, level: LogLevel) -> list[dict[str, Any]]:
        return [event for event in self.events if event["log_level"] is level]


class AnswersTests(GuardedSearchCase):
    def test_answers(self) -> None:
        """For each pattern the groups that took part, or None; one text after the other."""
        first, second = self.find(EVIL, GOOD), self.find(GOOD, text="xc")
        self.assertEqual((first, self.threads.started), ([], 1))
        self.threads.work()
        self.assertEqual((first, second, self.threads.started), ([[{}, {"x": "a"}]], [], 2))
        self.threads.work()
        self.assertEqual(second, [[{"x": "c"}]])
        third = self.find(EVIL, text="c")
        self.threads.work()
        self.assertEqual((third, self.clock.getDelayedCalls()), ([[None]], []))

    def test_at_once(self) -> None:
        """A thread that is back at once is as good."""
        guarded = GuardedSearch(self.clock, lambda run, search: succeed(run(search)))
        found = self.successResultOf(guarded.find("ab", [GOOD]))
        self.assertEqual((found, self.clock.getDelayedCalls()), ([{"x": "a"}], []))


class TooLongTests(GuardedSearchCase):
    def test_told(self) -> None:
        """What took too long does not fit, and the log says whose pattern it is."""
        answers = self.find(GOOD, EVIL, GOOD)
        self.threads.time_out(1)
        self.assertEqual(answers, [[{}, None, {}]])
        (told,) = self.logged(LogLevel.warn)
        self.assertEqual((told["responder"], told["length"]), ("evil", 2))

    def test_set_aside(self) -> None:
        """A pattern that takes too long three times is not tried for five minutes; others are."""
        self.assertEqual((breaker.STRIKES, breaker.ASIDE), (3, 300))
        for _ in range(breaker.STRIKES):
            self.assertEqual(self.time_out(), [[None]])
        self.assertEqual(self.guarded.counts, {"timed-out": 3, "set-aside": 1})
        (told,) = self.logged(LogLevel.error)
        self.assertEqual(told["responder"], "evil")
        self.assertEqual((self.find(EVIL), self.threads.waiting), ([[None]], []))
        both = self.find(EVIL, GOOD, EVIL)
        self.threads.work()
        self.assertEqual(both, [[None, {"x": "a"}, None]])
        self.clock.advance(breaker.ASIDE)
        again = self.find(EVIL)
        self.threads.work()
        self.assertEqual(again, [[{}]])

    def test_seldom_is_forgiven(self) -> None:
        """A pattern that takes too long now and then is tried on."""
        for _ in range(3 * breaker.STRIKES):
            self.assertEqual(self.time_out(), [[None]])
            self.clock.advance(breaker.MEMORY / (breaker.STRIKES - 1))
        self.assertEqual(self.guarded.counts, {"timed-out": 9})

    def test_what_regex_does_not_take(self) -> None:
        """A pattern that cannot be searched for is told once, and fits nothing any more."""

        def refuse(pattern: Pattern, text: str) -> None:
            raise Unreadable("no")

        self.patch(regex_search, "find", refuse)
        first = self.find(GOOD)
        self.threads.work()
        self.clock.advance(breaker.ASIDE)
        self.assertEqual((first, self.find(GOOD)), ([[None]], [[None]]))
        self.assertEqual(len(self.logged(LogLevel.error)), 1)


class StuckTests(GuardedSearchCase):
    def test_another_thread_goes_on(self) -> None:
        """A search that does not end is left alone: nobody waits, and its pattern is not tried."""
        stuck, same, behind = self.find(EVIL), self.find(EVIL), self.find(EVIL, GOOD)
        self.clock.advance(guarded_search.PATIENCE)
        self.assertEqual((stuck, same, self.find(EVIL)), ([[None]], [[None]], [[None]]))
        (told,) = self.logged(LogLevel.error)
        self.assertEqual(told["responder"], "evil")
        self.threads.waiting.pop(0)
        self.threads.work()
        self.assertEqual(behind, [[None, {"x": "a"}]])
        self.assertEqual(self.guarded.counts, {"stuck": 1})

    def test_back_after_all(self) -> None:
        """Once the search has ended its pattern is tried again."""
        self.get_stuck()
        self.threads.work()
        again = self.find(EVIL)
        self.threads.work()
        self.assertEqual(again, [[{}]])

    def test_one_after_another(self) -> None:
        """Where several do not end no text is searched at all, until one of them does."""
        others = [
            OwnedPattern(Pattern.hear(f"(a*)*{n}"), str(n)) for n in range(guarded_search.MAX_STUCK)
        ]
        for each in others[:-1]:
            self.find(each)
            self.clock.advance(guarded_search.PATIENCE)
        last, behind = self.find(others[-1]), self.find(GOOD)
        self.clock.advance(guarded_search.PATIENCE)
        self.assertEqual((last, behind, self.find(GOOD)), ([[None]], [[None]], [[None]]))
        self.assertEqual(self.threads.started, guarded_search.MAX_STUCK)
        self.threads.work()
        self.assertEqual(self.find(GOOD), [])
        self.assertEqual(self.threads.started, guarded_search.MAX_STUCK + 1)


class BoundsTests(GuardedSearchCase):
    def test_too_many(self) -> None:
        """No more than so many texts wait; those beyond fit nothing, at once."""
        waiting = [self.find(GOOD) for _ in range(guarded_search.MAX_WAITING + 1)]
        self.assertEqual(self.find(GOOD), [[None]])
        self.assertEqual(self.guarded.counts, {"refused": 1})
        for _ in waiting:
            self.threads.work()
        self.assertEqual(waiting, [[[{"x": "a"}]]] * len(waiting))

    def test_everyone_is_answered_in_time(self) -> None:
        """Who waits behind others waits no longer than the longest wait."""
        self.patch(guarded_search, "MAX_STUCK", 100)
        waiting = [
            self.find(OwnedPattern(Pattern.hear(f"(a*)*{n}"), "evil"))
            for n in range(guarded_search.MAX_WAITING)
        ]
        for _ in range(round(guarded_search.MAX_WAIT)):
            self.clock.advance(1)
        self.assertEqual(waiting, [[[None]]] * guarded_search.MAX_WAITING)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_thread(self) -> None:
        """Where no thread is to be had nothing fits, and the next text tries again."""
        self.threads.problem = OSError("no memory")
        self.assertEqual(self.find(GOOD), [[None]])
        self.flushLoggedErrors(OSError)
        self.threads.problem = None
        answers = self.find(GOOD)
        self.threads.work()
        self.assertEqual(answers, [[{"x": "a"}]])

    def test_stop(self) -> None:
        """The end answers everybody, and starts nothing any more; a late thread harms nobody."""
        first, second = self.find(EVIL), self.find(EVIL)
        self.guarded.stop()
        self.assertEqual((first, second, self.find(GOOD)), ([[None]], [[None]], [[None]]))
        self.assertEqual((self.threads.started, self.clock.getDelayedCalls()), (1, []))
        self.threads.work()
