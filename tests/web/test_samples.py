"""Tests of :mod:`xbot.web.samples`."""

from attrs import evolve
from twisted.trial import unittest

from tests.web.scene import GOOD
from xbot.web.samples import COUNT, Samples


class SamplesTests(unittest.TestCase):
    def test_what_came_since(self):
        """A sample has what came since the one before, and the worst lag of that time."""
        samples = Samples()
        samples.take(GOOD)
        samples.got_command()
        samples.got_command()
        for lag in (0.1, 0.3, 0.2):
            samples.got_lag(lag)
        fates = {**GOOD.fates, "dispatched": GOOD.fates["dispatched"] + 2, "echo": 10**6}
        samples.take(evolve(GOOD, fates=fates))
        samples.take(evolve(GOOD, fates=fates))
        told = [(each.messages, each.commands, each.lag) for each in samples.taken]
        self.assertEqual(told, [(0, 0, 0.0), (2, 2, 0.3), (0, 0, 0.0)])
        self.assertEqual((samples.taken[0].is_online, samples.taken[0].rooms), (True, 0.75))

    def test_offline(self):
        """Without a connection there is no ping."""
        samples = Samples()
        samples.take(evolve(GOOD, link=evolve(GOOD.link, state="waiting"), rooms=()))
        (sample,) = samples.taken
        self.assertEqual((sample.is_online, sample.round_trip, sample.rooms), (False, None, 1.0))

    def test_bounded(self):
        """An hour is kept."""
        samples = Samples()
        for _ in range(3 * COUNT):
            samples.take(GOOD)
        self.assertEqual(len(samples.taken), COUNT)
