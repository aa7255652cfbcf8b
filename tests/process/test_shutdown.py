"""Tests of :mod:`xbot.process.shutdown`."""

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial import unittest

from xbot.process import shutdown
from xbot.process.shutdown import within


class WithinTests(unittest.SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.told = []
        self.patch(
            shutdown._log, "warn", lambda text, **facts: self.told.append(text.format(**facts))
        )

    def wait(self, ending):
        return Deferred.fromCoroutine(within(self.clock, 5.0, ending, "it hangs"))

    def test_in_time(self):
        """What ends in time is nothing to talk about, and leaves no timer."""
        ending = Deferred()
        waiting = self.wait(ending)
        self.clock.advance(4.9)
        self.assertNoResult(waiting)
        ending.callback(None)
        self.assertIs(self.successResultOf(waiting), True)
        self.assertIs(self.successResultOf(self.wait(succeed(None))), True)
        self.assertEqual((self.told, self.clock.getDelayedCalls()), ([], []))

    def test_too_late(self):
        """What does not is said in the log, and nothing waits for it any more."""
        waiting = self.wait(Deferred())
        self.clock.advance(5.0)
        self.assertIs(self.successResultOf(waiting), False)
        self.assertEqual(self.told, ["it hangs; shutting down anyway"])

    def test_failure(self):
        """What fails for another reason fails."""
        ending = Deferred()
        waiting = self.wait(ending)
        ending.errback(ZeroDivisionError())
        self.failureResultOf(waiting, ZeroDivisionError)
