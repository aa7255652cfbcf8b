"""Tests of :mod:`xbot.web.listener`."""

import os
import socket
import tempfile
from pathlib import Path
from shutil import rmtree

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial import unittest

from xbot.config.settings import Listen
from xbot.web.listener import RETRY, Listener


class Taken(MemoryReactorClock):
    """Fake reactor on which each port is in use for a while."""

    tries = 0

    def listenTCP(self, *args, **more):
        self.tries += 1
        if self.tries < 4:
            raise CannotListenError("127.0.0.1", 1, OSError(98, "Address already in use"))
        return super().listenTCP(*args, **more)


class RetryTests(unittest.TestCase):
    def test_taken(self):
        """A port that is taken is tried again until it is free."""
        clock = Taken()
        listening = Listener(Listen("127.0.0.1", 1), Factory(), clock)
        listening.start()
        self.assertFalse(listening.is_open)
        clock.advance(RETRY)
        clock.advance(RETRY)
        self.assertFalse(listening.is_open)
        clock.advance(RETRY)
        self.assertTrue(listening.is_open)
        self.assertEqual(clock.tcpServers[0][3], "127.0.0.1")

    def test_told(self):
        """What hinders is told in words, without a number, and the place once."""
        path = Path("/nowhere/socket")
        for error in (
            PermissionError(13, "Permission denied", str(path)),
            CannotListenError(None, str(path), PermissionError(13, "Permission denied")),
        ):
            clock = Taken()
            self.patch(clock, "listenUNIX", _raising(error))
            listening = Listener(Listen(path=path), Factory(), clock)
            with capturedLogs() as events:
                listening.start()
            self.assertEqual(
                [formatEvent(event) for event in events],
                ["cannot listen at /nowhere/socket: Permission denied; trying again every 30 s"],
            )

    def test_stop(self):
        """After the stop nothing is tried again."""
        clock = Taken()
        listening = Listener(Listen("127.0.0.1", 1), Factory(), clock)
        listening.start()
        listening.stop()
        self.assertEqual(clock.getDelayedCalls(), [])
        listening.stop()


def _raising(error):
    def raises(*args, **more):
        raise error

    return raises


class SocketTests(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(rmtree, self.folder)
        self.path = self.folder / "socket"

    def listening(self):
        listening = Listener(Listen(path=self.path), Factory(), reactor)
        # A try that fails must not be followed by another in these tests.
        self.patch(listening, "_reactor", _WithClock(reactor))
        self.addCleanup(listening.stop)
        listening.start()
        return listening

    def test_mode(self):
        """Nobody else can connect, whatever the umask is."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.listening()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(os.umask(0), 0)

    def test_stale(self):
        """A socket that a killed bot left is replaced."""
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(self.path))
        self.assertTrue(self.listening().is_open)

    def test_alive(self):
        """One at which somebody answers is left alone."""
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(self.path))
            other.listen()
            self.assertFalse(self.listening().is_open)
            self.assertTrue(self.path.exists())

    def test_no_socket(self):
        """A file that is no socket is nobody's to take away."""
        self.path.write_text("precious")
        self.assertFalse(self.listening().is_open)
        self.assertEqual(self.path.read_text(), "precious")

    def test_no_folder(self):
        """A folder that is not there is told like any other reason."""
        self.path = self.folder / "none" / "socket"
        self.assertFalse(self.listening().is_open)

    def test_stop(self):
        """In the end the socket is gone."""
        listening = self.listening()
        stopped = listening.stop()
        self.assertIsInstance(stopped, Deferred)
        stopped.addCallback(lambda _: self.assertFalse(self.path.exists()))
        return stopped


class _WithClock:
    """The real reactor with a fake clock."""

    def __init__(self, real):
        self.callLater = Clock().callLater
        self.listenUNIX = real.listenUNIX
