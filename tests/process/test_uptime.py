"""Tests of :mod:`xbot.process.uptime`."""

import time

from twisted.trial import unittest

from xbot.process.uptime import Elapsed, elapsed_clock, uptime


class ElapsedTests(unittest.SynchronousTestCase):
    def test_the_faster_of_both(self):
        """Between two readings, what passes is what the faster of both clocks says."""
        clocks = [100.0, 5000.0]
        elapsed = Elapsed(lambda: clocks[0], lambda: clocks[1])
        for step, passed in (
            ((1, 1), 1),
            # It slept.
            ((0, 300), 300),
            # Somebody set the wall clock back.
            ((2, -3600), 2),
            ((-1, -1), 0),
            ((3, 1), 3),
        ):
            before = elapsed()
            clocks[0] += step[0]
            clocks[1] += step[1]
            self.assertEqual(elapsed() - before, passed, step)

    def test_of_this_machine(self):
        """What this machine offers goes forward, and never behind its monotonic clock."""
        clock = elapsed_clock()
        before = clock()
        self.assertGreaterEqual(clock(), before)
        self.assertGreaterEqual(uptime() + 1, time.monotonic())
