"""Tests of :mod:`xbot.model.shared_bucket`."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from xbot.model.shared_bucket import MAX_OVER, SharedBuckets
from xbot.model.token_bucket import Rate, Verdict

WITHIN, OVER, STILL = Verdict.WITHIN, Verdict.OVER, Verdict.STILL

RATE = Rate(8, 16.0)


class SharedTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.buckets = SharedBuckets(self.clock.seconds, most=3)

    def take(self, user: str = "a", rate: Rate = RATE, key: str = "room") -> Verdict:
        return self.buckets.take(key, user, rate)

    def test_one_user(self) -> None:
        """One user takes half of the tokens at once, is told once, and waits until all are back."""
        self.assertEqual([self.take() for _ in range(6)], [WITHIN] * 4 + [OVER, STILL])
        for _ in range(3):
            self.clock.advance(2)
            self.assertIs(self.take(), STILL)
        self.clock.advance(2)
        self.assertEqual([self.take() for _ in range(5)], [WITHIN] * 4 + [OVER])

    def test_one_user_over_time(self) -> None:
        """One user who keeps within the rate has all of it."""
        for _ in range(50):
            self.assertIs(self.take(), WITHIN)
            self.clock.advance(2)

    def test_others(self) -> None:
        """Whatever one user takes, others have some: half of what is left, each."""
        taken = Counter[str]()
        for user in "abc":
            for _ in range(8):
                taken[user] += self.take(user) is WITHIN
        self.assertEqual(taken, {"a": 4, "b": 2, "c": 1})
        self.assertIs(self.take("d"), WITHIN)

    def test_all_are_taken(self) -> None:
        """When all tokens are taken, that is told once, not to each user."""
        verdicts = [self.take(str(user)) for user in range(12)]
        self.assertEqual(verdicts, [WITHIN] * 8 + [OVER] + [STILL] * 3)
        self.clock.advance(2)
        self.assertIs(self.take("11"), WITHIN)

    def test_a_rate_of_one(self) -> None:
        """A single token is for whoever comes first."""
        rate = Rate(1, 10.0)
        self.assertEqual([self.take(user, rate) for user in "aab"], [WITHIN, OVER, OVER])
        self.clock.advance(10)
        self.assertIs(self.take("b", rate), WITHIN)

    def test_each_key_by_itself(self) -> None:
        """Keys share nothing, and the least recently used bucket is dropped."""
        for _ in range(5):
            self.take(key="a")
        for key in "bcd":
            self.assertIs(self.take(key=key), WITHIN)
        self.assertEqual(len(self.buckets), 3)
        self.assertIs(self.take(key="a"), WITHIN)

    def test_ago(self) -> None:
        """An event counts at its time; one before the latest event counts at that one's time."""
        self.clock.advance(100)
        verdicts = [
            self.buckets.take("room", "a", RATE, ago) for ago in (20, 18, 16, 14, 12, 10, 10, 19)
        ]
        self.assertEqual(verdicts, [WITHIN] * 8)
        self.assertEqual([self.take() for _ in range(5)], [WITHIN] * 4 + [OVER])

    def test_wait(self) -> None:
        """A refused user may take again after the wait, and not before."""
        for user, last in ("a", OVER), ("b", OVER):
            verdict = WITHIN
            while verdict is WITHIN:
                verdict = self.take(user)
            self.assertIs(verdict, last)
        for user, wait in ("a", 8.0), ("b", 12.0), ("c", 2.0):
            self.assertEqual(self.buckets.wait("room", user, RATE), wait)
        self.clock.advance(7.5)
        self.assertIs(self.take("a"), STILL)
        self.assertEqual(self.buckets.wait("room", "a", RATE), 0.5)
        self.clock.advance(0.5)
        self.assertIs(self.take("a"), WITHIN)
        self.assertEqual(self.buckets.wait("another", "a", RATE), 0.0)

    def test_over_is_bounded(self) -> None:
        """Of the users over their share only some are remembered; the others get no notice."""
        rate = Rate(10 * MAX_OVER, 1.0)
        verdicts = Counter[Verdict]()
        for user in range(2 * MAX_OVER):
            for _ in range(5 * MAX_OVER):
                if (verdict := self.take(str(user), rate)) is not WITHIN:
                    verdicts[verdict] += 1
                    break
        self.assertLessEqual(verdicts[OVER], MAX_OVER)
        self.assertGreater(verdicts[STILL], 0)

    @given(
        st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 5)), max_size=60),
        st.integers(2, 9),
    )
    def test_never_starved(self, takes: list[tuple[str, float]], burst: int) -> None:
        """However three users ask, never more than the rate is given, and none has all of it."""
        clock = Clock()
        buckets, rate = SharedBuckets(clock.seconds), Rate(burst, 10.0)
        given_at: list[tuple[float, str]] = []
        for user, pause in takes:
            clock.advance(pause)
            if buckets.take("room", user, rate) is WITHIN:
                given_at.append((clock.seconds(), user))
            now = clock.seconds()
            recent = [who for at, who in given_at if at == now]
            self.assertLessEqual(len(recent), burst)
            for each in "abc":
                self.assertLessEqual(recent.count(each), (burst + 1) // 2)
