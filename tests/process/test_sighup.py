"""Tests of :mod:`xbot.process.sighup`."""

import os
import signal

from twisted.trial import unittest

from xbot.process.sighup import SighupService


class Reactor:
    def __init__(self):
        self.calls = []

    def callFromThread(self, function):
        self.calls.append(function)


class HangUpTests(unittest.TestCase):
    def test_the_signal_is_ours_while_it_runs(self):
        """The signal calls by way of the reactor; before and after it is somebody else's."""
        heard = []
        before = signal.signal(signal.SIGHUP, lambda number, frame: heard.append(number))
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        reactor = Reactor()
        service = SighupService(reactor, self.fail)
        os.kill(os.getpid(), signal.SIGHUP)
        service.startService()
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(len(reactor.calls), 1)
        service.stopService()
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual((heard, len(reactor.calls)), ([signal.SIGHUP] * 2, 1))
