"""Tests of :mod:`xbot.process.suspend_detection`."""

from twisted.internet.task import Clock
from twisted.trial import unittest

from xbot.process.suspend_detection import BEAT, LIMIT, Heartbeat


class HeartbeatTests(unittest.SynchronousTestCase):
    def setUp(self):
        self.clock, self.now, self.woke = Clock(), 1000.0, []
        self.heart = Heartbeat(self.clock, lambda: self.now, self.woke.append)
        self.heart.start()

    def turn(self, seconds):
        """The reactor turns for so long."""
        for _ in range(int(seconds / BEAT)):
            self.now += BEAT
            self.clock.advance(BEAT)

    def test_awake(self):
        """While the reactor turns, nobody was away, however long nothing is read."""
        self.turn(3600)
        self.assertEqual(self.heart.look(), self.now)
        self.assertEqual(self.woke, [])

    def test_stop(self):
        """Whoever looks first after a stop finds it, once: what is read, or a beat."""
        for look in self.heart.look, lambda: self.clock.advance(BEAT):
            self.turn(10)
            self.now += LIMIT + 0.1
            look()
            (away,) = self.woke
            self.assertAlmostEqual(away, LIMIT + 0.1)
            self.heart.look()
            self.turn(10)
            self.assertEqual(len(self.woke), 1)
            self.woke.clear()

    def test_short_stop(self):
        """What is shorter by a beat than the limit is no stop."""
        self.turn(10)
        self.clock.advance(BEAT / 2)
        self.now += LIMIT
        self.heart.look()
        self.assertEqual(self.woke, [])

    def test_between_connections(self):
        """While nothing can be read nobody is away, and nothing is left behind."""
        self.heart.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.now += 3600
        self.heart.look()
        self.now += 3600
        self.heart.start()
        self.heart.look()
        self.assertEqual(self.woke, [])
