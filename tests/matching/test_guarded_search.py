"""Tests of :mod:`xbot.matching.guarded_search`, also with threads that get stuck."""

from typing import Any

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import TestCase

from tests.matching.threads import FakeThreads
from xbot.matching import breaker, guarded_search, regex_search
from xbot.matching.breaker import Asker
from xbot.matching.guarded_search import GuardedSearch, OwnedPattern, Unsearched, Why
from xbot.matching.pattern import Pattern
from xbot.matching.regex_search import Unreadable

EVIL = OwnedPattern(Pattern.match(r"(a*)*\1b"), "evil")
GOOD = OwnedPattern(Pattern.hear(r"(?P<x>.)(?!c)"), "good")
TOO_LONG = Unsearched(Why.TOO_LONG)
STUCK = Unsearched(Why.STUCK)
BUSY = Unsearched(Why.BUSY)
MISREAD = Unsearched(Why.MISREAD)
STRANGER = Asker("eve@elsewhere.example", "elsewhere.example")
ADMIN = Asker("admin@example.org", "example.org", is_trusted=True)


class GuardedSearchCase(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.threads = FakeThreads()
        self.guarded = GuardedSearch(self.clock, self.threads)
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def find(self, *asked: OwnedPattern, text: str = "ab", asker: Asker = STRANGER) -> list[Any]:
        """The list that will hold the answer."""
        answers: list[Any] = []
        self.guarded.find(text, asked, asker).addCallback(answers.append)
        return answers

    def time_out(self, asker: Asker = STRANGER) -> list[Any]:
        """Ask for what takes too long."""
        answers = self.find(EVIL, asker=asker)
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
        self.assertEqual(answers, [[{}, TOO_LONG, {}]])
        (told,) = self.logged(LogLevel.warn)
        self.assertEqual((told["responder"], told["length"]), ("evil", 2))

    def test_set_aside(self) -> None:
        """A pattern that takes too long three times is not tried for five minutes; others are."""
        self.assertEqual((breaker.STRIKES, breaker.ASIDE), (3, 300))
        for _ in range(breaker.STRIKES):
            self.assertEqual(self.time_out(), [[TOO_LONG]])
        self.assertEqual(self.guarded.counts, {"timed-out": 3, "set-aside": 1})
        (told,) = self.logged(LogLevel.error)
        self.assertEqual(told["responder"], "evil")
        paused = Unsearched(Why.PAUSED, 300)
        self.assertEqual((self.find(EVIL), self.threads.waiting), ([[paused]], []))
        both = self.find(EVIL, GOOD, EVIL)
        self.threads.work()
        self.assertEqual(both, [[paused, {"x": "a"}, paused]])
        self.clock.advance(breaker.ASIDE)
        again = self.find(EVIL)
        self.threads.work()
        self.assertEqual(again, [[{}]])

    def test_each_sender(self) -> None:
        """A pattern is paused for the sender whose texts took too long, and for no other."""
        for _ in range(breaker.STRIKES):
            self.time_out()
        for other in ADMIN, Asker("bob@elsewhere.example", STRANGER.share):
            answers = self.find(EVIL, asker=other)
            self.threads.work()
            self.assertEqual(answers, [[{}]])
        (told,) = self.logged(LogLevel.error)
        self.assertEqual(told["paused"], STRANGER.name)

    def test_what_waits_is_asked_again(self) -> None:
        """A text that waits is not searched if the pattern was paused for its sender meanwhile."""
        waiting = [self.find(EVIL) for _ in range(breaker.STRIKES + 1)]
        for _ in range(breaker.STRIKES):
            self.threads.time_out()
        self.assertEqual(waiting[-1], [[Unsearched(Why.PAUSED, 300)]])
        self.assertEqual(self.threads.waiting, [])

    def test_seldom_is_forgiven(self) -> None:
        """A pattern that takes too long now and then is tried on."""
        for _ in range(3 * breaker.STRIKES):
            self.assertEqual(self.time_out(), [[TOO_LONG]])
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
        self.assertEqual((first, self.find(GOOD)), ([[MISREAD]], [[MISREAD]]))
        self.assertEqual(len(self.logged(LogLevel.error)), 1)


class StuckTests(GuardedSearchCase):
    def test_another_thread_goes_on(self) -> None:
        """A search that does not end is left alone: nobody waits, and its pattern is not tried."""
        stuck, same, behind = self.find(EVIL), self.find(EVIL), self.find(EVIL, GOOD)
        self.clock.advance(guarded_search.PATIENCE)
        self.assertEqual((stuck, same, self.find(EVIL)), ([[STUCK]], [[STUCK]], [[STUCK]]))
        (told,) = self.logged(LogLevel.error)
        self.assertEqual(told["responder"], "evil")
        self.threads.waiting.pop(0)
        self.threads.work()
        self.assertEqual(behind, [[STUCK, {"x": "a"}]])
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
        self.assertEqual((last, behind, self.find(GOOD)), ([[STUCK]], [[BUSY]], [[BUSY]]))
        self.assertEqual(self.threads.started, guarded_search.MAX_STUCK)
        self.threads.work()
        self.assertEqual(self.find(GOOD), [])
        self.assertEqual(self.threads.started, guarded_search.MAX_STUCK + 1)


class BoundsTests(GuardedSearchCase):
    def test_too_many(self) -> None:
        """No more than so many texts wait; those beyond fit nothing, at once."""
        askers = [Asker(f"{n}@{n}.example", f"{n}.example") for n in range(100)]
        waiting = [self.find(GOOD, asker=each) for each in askers[: guarded_search.MAX_WAITING + 1]]
        self.assertEqual(self.find(GOOD, asker=askers[99]), [[BUSY]])
        self.assertEqual(self.guarded.counts, {"refused": 1})
        for _ in waiting:
            self.threads.work()
        self.assertEqual(waiting, [[[{"x": "a"}]]] * len(waiting))

    def test_one_share(self) -> None:
        """A room or domain with many senders leaves half of the queue to the others."""
        many = [self.find(GOOD, asker=Asker(f"{n}@one.example", "one.example")) for n in range(100)]
        waiting = [each for each in many if each != [[BUSY]]]
        self.assertEqual(len(waiting), 1 + guarded_search.MAX_WAITING // 2)
        self.assertEqual(self.find(GOOD), [])

    def test_trusted_people_do_not_queue_behind_strangers(self) -> None:
        """However many strangers wait, a trusted sender's text is searched next."""
        askers = [Asker(f"{n}@{n}.example", f"{n}.example") for n in range(100)]
        for each in askers:
            self.find(GOOD, asker=each)
        first, second = self.find(GOOD, asker=ADMIN), self.find(GOOD, asker=ADMIN)
        self.threads.work()
        self.threads.work()
        self.assertEqual((first, second), ([[{"x": "a"}]], []))
        # The queues take turns.
        self.threads.work()
        self.threads.work()
        self.assertEqual(second, [[{"x": "a"}]])

    def test_everyone_is_answered_in_time(self) -> None:
        """Who waits behind others waits no longer than the longest wait."""
        self.patch(guarded_search, "MAX_STUCK", 100)
        waiting = [
            self.find(OwnedPattern(Pattern.hear(f"(a*)*{n}"), "evil"), asker=ADMIN)
            for n in range(guarded_search.MAX_WAITING)
        ]
        for _ in range(round(guarded_search.MAX_WAIT)):
            self.clock.advance(1)
        self.assertEqual({answer for [[answer]] in waiting}, {STUCK, BUSY})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_thread(self) -> None:
        """Where no thread is to be had nothing fits, and the next text tries again."""
        self.threads.problem = OSError("no memory")
        self.assertEqual(self.find(GOOD), [[BUSY]])
        self.flushLoggedErrors(OSError)
        self.threads.problem = None
        answers = self.find(GOOD)
        self.threads.work()
        self.assertEqual(answers, [[{"x": "a"}]])

    def test_stop(self) -> None:
        """The end answers everybody, and starts nothing any more; a late thread harms nobody."""
        first, second = self.find(EVIL), self.find(EVIL)
        self.guarded.stop()
        self.assertEqual((first, second, self.find(GOOD)), ([[BUSY]], [[BUSY]], [[BUSY]]))
        self.assertEqual((self.threads.started, self.clock.getDelayedCalls()), (1, []))
        self.threads.work()
