"""Tests of :mod:`xbot.process.steady_clock`."""

import time

from twisted.internet.selectreactor import SelectReactor
from twisted.trial import unittest

from xbot.process import steady_clock
from xbot.process.steady_clock import make_steady


class SteadyTests(unittest.SynchronousTestCase):
    def setUp(self):
        self.reactor = SelectReactor()
        self.reactor.disconnectAll()
        self.addCleanup(self.reactor.waker.connectionLost, None)

    def test_wall_clock_set_back(self):
        """What waits happens in its time, however the wall's clock is set meanwhile."""
        self.assertTrue(make_steady(self.reactor))
        done = []
        self.reactor.callLater(0, done.append, "done")
        self.patch(time, "time", lambda: 0.0)
        self.reactor.runUntilCurrent()
        self.assertEqual(done, ["done"])

    def test_sleep(self):
        """What waits for so long waits no longer because the machine sleeps meanwhile."""
        now = [1000.0]
        self.patch(steady_clock, "uptime", lambda: now[0])
        self.assertTrue(make_steady(self.reactor))
        done = []
        self.reactor.callLater(60, done.append, "done")
        # Neither the wall clock nor the monotonic one tells.
        now[0] += 3600
        self.reactor.runUntilCurrent()
        self.assertEqual(done, ["done"])

    def test_something_waits(self):
        """What waits already was reckoned by the other clock, which stays."""
        call = self.reactor.callLater(60, lambda: None)
        self.addCleanup(call.cancel)
        self.assertFalse(make_steady(self.reactor))
        self.assertGreater(call.getTime(), time.time())
