"""Tests of :mod:`xbot.matching.breaker`."""

from twisted.trial.unittest import SynchronousTestCase

from xbot.matching.breaker import ASIDE, MANY, STRIKES, Asker, Breaker, Pause
from xbot.matching.pattern import Pattern

PATTERN, OTHER = Pattern.match("(a*)*b"), Pattern.match("(b*)*c")


def stranger(number: int, domain: int = 0) -> Asker:
    return Asker(f"{number}@{domain}.example", f"{domain}.example")


def trusted(number: int) -> Asker:
    return Asker(f"admin{number}@example.org", "example.org", is_trusted=True)


class BreakerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.breaker = Breaker()

    def strike(self, asker: Asker, times: int = STRIKES, now: float = 0.0) -> None:
        for _ in range(times):
            if not self.breaker.pause(PATTERN, asker, now):
                self.breaker.strike(PATTERN, asker, now)

    def is_paused(self, asker: Asker, now: float = 0.0) -> bool:
        return self.breaker.pause(PATTERN, asker, now) is not None

    def test_sender_first(self) -> None:
        """Three time-outs pause a pattern for their sender, for five minutes."""
        self.strike(stranger(1), STRIKES - 1)
        self.assertFalse(self.is_paused(stranger(1)))
        self.strike(stranger(1), 1)
        pause = self.breaker.pause(PATTERN, stranger(1), 0.0)
        self.assertEqual(pause, Pause(ASIDE, is_own=True))
        self.assertFalse(self.is_paused(stranger(2)))
        self.assertIsNone(self.breaker.pause(OTHER, stranger(1), 0.0))
        self.assertFalse(self.is_paused(stranger(1), ASIDE))

    def test_two_do_not_suffice(self) -> None:
        """Two senders, however often each, pause nothing for a third."""
        for minute in range(0, 120):
            for number in 1, 2:
                self.strike(stranger(number), 1, minute * 60.0)
        self.assertFalse(self.is_paused(stranger(3), 120 * 60.0))

    def test_share(self) -> None:
        """Three senders of a domain pause the pattern for that domain, and for no other."""
        for number in range(MANY):
            self.strike(stranger(number))
        pause = self.breaker.pause(PATTERN, stranger(99), 0.0)
        self.assertEqual(pause, Pause(ASIDE, is_own=False))
        self.assertFalse(self.is_paused(stranger(0, domain=1)))

    def test_one_domain(self) -> None:
        """A domain with ever new accounts, one text each, is paused, and alone."""
        for number in range(1000):
            self.strike(stranger(number), 1)
        self.assertTrue(self.is_paused(stranger(2000)))
        self.assertFalse(self.is_paused(stranger(0, domain=1)))

    def test_all_strangers(self) -> None:
        """Senders of several domains pause it for all strangers; trusted people still have it."""
        for domain in range(MANY):
            for number in range(MANY):
                self.strike(stranger(number, domain))
        self.assertTrue(self.is_paused(stranger(0, domain=99)))
        self.assertFalse(self.is_paused(trusted(1)))

    def test_trusted(self) -> None:
        """Trusted people pause it for themselves only."""
        for number in range(MANY):
            self.strike(trusted(number))
        self.assertTrue(self.is_paused(trusted(99)))
        self.assertFalse(self.is_paused(stranger(1)))

    def test_bound(self) -> None:
        """A flood from any number of senders costs few searches, and little memory."""
        searches = 0
        for number in range(10_000):
            asker = stranger(number, number % 1000)
            if not self.is_paused(asker):
                searches += 1
                self.breaker.strike(PATTERN, asker, 0.0)
        self.assertEqual(searches, STRIKES * MANY * MANY)
        self.assertLess(len(self.breaker), 3 * searches)

    def test_words(self) -> None:
        """A strike tells for whom the pattern is paused now."""
        told = [
            self.breaker.strike(PATTERN, stranger(number, domain), 0.0)
            for domain in range(MANY)
            for number in range(MANY)
            for _ in range(STRIKES)
        ]
        self.assertEqual(told[:3], [None, None, "0@0.example"])
        self.assertEqual(told[8], "0.example")
        self.assertEqual(told[-1], "all people whom no allow names")
