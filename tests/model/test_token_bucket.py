"""Tests of :mod:`xbot.model.token_bucket`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from xbot.model.token_bucket import Rate, TokenBuckets, Verdict

WITHIN, OVER, STILL = Verdict.WITHIN, Verdict.OVER, Verdict.STILL

RATE = Rate(2, 4.0)


class BucketsTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.buckets = TokenBuckets(self.clock.seconds, most=3)

    def take(self, key: str = "a", rate: Rate = RATE) -> Verdict:
        return self.buckets.take(key, rate)

    def test_burst(self) -> None:
        """So many at once; the first one beyond is told apart from those after it."""
        self.assertEqual([self.take() for _ in range(5)], [WITHIN, WITHIN, OVER, STILL, STILL])

    def test_steady(self) -> None:
        """Whoever keeps within the rate is never over it."""
        for _ in range(50):
            self.assertIs(self.take(), WITHIN)
            self.clock.advance(2)

    def test_recovers(self) -> None:
        """Over is over until the bucket is full, whatever is asked meanwhile."""
        for _ in range(3):
            self.take()
        for _ in range(7):
            self.clock.advance(0.5)
            self.assertIs(self.take(), STILL)
        self.clock.advance(0.5)
        self.assertEqual([self.take() for _ in range(3)], [WITHIN, WITHIN, OVER])

    def test_when_it_was_said(self) -> None:
        """Events that are heard at once count at the times when they happened."""
        self.clock.advance(100)
        said = [self.buckets.take("a", RATE, ago) for ago in (20, 19, 18, 10, 9, 8, 1)]
        self.assertEqual(said, [WITHIN] * 7)

    @given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 20)), max_size=60))
    def test_lies_gain_nothing(self, events: list[tuple[float, float]]) -> None:
        """Whatever times are claimed, no more gets through than the rate has allowed by then.

        Each event is a pause before it, and how long ago it claims to be; no claim goes
        further back than the outage of 20 s.
        """
        clock = Clock()
        clock.advance(20)
        buckets = TokenBuckets(clock.seconds)
        passed = 0
        for pause, ago in events:
            clock.advance(pause)
            claimed = min(ago, clock.seconds())
            passed += buckets.take("a", RATE, claimed) is WITHIN
            self.assertLessEqual(passed, RATE.burst * (1 + clock.seconds() / RATE.period) + 1e-6)

    def test_wait(self) -> None:
        """It is known when the bucket is full again, also after events of the past."""
        self.clock.advance(100)
        self.assertEqual(self.buckets.wait("a", RATE), 0)
        for _ in range(3):
            self.take()
        self.assertEqual(self.buckets.wait("a", RATE), 4)
        self.clock.advance(3)
        self.assertEqual(self.buckets.wait("a", RATE), 1)
        self.clock.advance(3)
        self.assertEqual(self.buckets.wait("a", RATE), 0)
        self.buckets.take("b", RATE, 50)
        self.assertEqual(self.buckets.wait("b", RATE), 0)

    def test_each_key_by_itself(self) -> None:
        """One key takes nothing from another."""
        for _ in range(3):
            self.take("a")
        self.assertIs(self.take("b"), WITHIN)

    def test_bounded(self) -> None:
        """However many keys come, so many are kept: those heard of last."""
        for _ in range(3):
            self.take("a")
        for number in range(10_000):
            self.take(str(number))
            self.take("a")
            self.assertLessEqual(len(self.buckets), 3)
        self.assertIs(self.take("a"), STILL)

    def test_another_rate(self) -> None:
        """Another rate holds at once: there is never more in a bucket than it allows."""
        self.take()
        self.assertEqual([self.take(rate=Rate(1, 1.0)) for _ in range(2)], [WITHIN, OVER])

    @given(
        st.integers(1, 5),
        st.floats(0.5, 20),
        st.lists(st.floats(0, 10), max_size=40),
    )
    def test_never_more(self, burst: int, period: float, waits: list[float]) -> None:
        """In no time does anyone get more than one burst and what the rate brings in that time."""
        clock = Clock()
        buckets = TokenBuckets(clock.seconds)
        got = 0
        for wait in waits:
            clock.advance(wait)
            got += buckets.take("a", Rate(burst, period)) is WITHIN
            self.assertLessEqual(got, burst + clock.seconds() * burst / period + 1e-6)

    def test_no_rate(self) -> None:
        """Nothing at once, or in no time, is no rate."""
        for burst, period in ((0, 1.0), (1, 0.0)):
            with self.assertRaises(ValueError):
                Rate(burst, period)
