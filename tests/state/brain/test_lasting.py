"""Tests of :mod:`xbot.state.brain.lasting`."""

from twisted.trial.unittest import SynchronousTestCase

from xbot.state.brain.lasting import LONGEST_GAP, Moment, clocks, elapsed

THEN = Moment("one", 500.0, 1e9)


class ElapsedTests(SynchronousTestCase):
    def test_same_boot(self) -> None:
        """In one boot the uptime tells, whatever the wall clock says."""
        for wall in (0.0, 1e9 + 3600, 9e9):
            self.assertEqual(elapsed(THEN, Moment("one", 507.5, wall)), 7.5)

    def test_another_boot(self) -> None:
        """From boot to boot the wall clock tells, unless it went back or years ahead."""
        for gap, expected in (
            (0.0, 0.0),
            (90.0, 90.0),
            (LONGEST_GAP, LONGEST_GAP),
            (LONGEST_GAP + 1, 0.0),
            (-1.0, 0.0),
            (-1e9, 0.0),
        ):
            self.assertEqual(elapsed(THEN, Moment("two", 1.0, 1e9 + gap)), expected)

    def test_unknown_boot(self) -> None:
        """Where the machine does not name its boots, the wall clock tells."""
        before, now = Moment("", 500.0, 1e9), Moment("", 507.0, 1e9 + 60)
        self.assertEqual(elapsed(before, now), 60.0)

    def test_uptime_that_went_back(self) -> None:
        """An uptime less than before, in a container's own time, tells nothing."""
        self.assertEqual(elapsed(THEN, Moment("one", 499.0, 1e9 + 60)), 60.0)

    def test_real_clocks(self) -> None:
        """The machine's own go on, in one boot."""
        first, second = clocks().read(), clocks().read()
        self.assertEqual(first.boot, second.boot)
        self.assertGreaterEqual(second.uptime, first.uptime)
