"""Fault injection: disk, DNS, link, server, file descriptors; and a simulated day of faults."""

import errno
import os
import random
import subprocess
from pathlib import Path

from twisted.internet.defer import fail
from twisted.internet.error import ConnectionLost, ConnectionRefusedError, DNSLookupError
from twisted.logger import globalLogPublisher
from twisted.trial import unittest

from tests.chat.xmpp.harness import JID
from tests.chat.xmpp.stream.model import ModelServer
from tests.chat.xmpp.stream.test_login import STATES
from tests.hostile.bot import NOW, ROOM, Bot, told
from xbot.chat.xmpp.rooms.invited_rooms import Invited, InvitedRooms
from xbot.chat.xmpp.security.downgrade import Downgrade, DowngradeProtection
from xbot.chat.xmpp.security.mechanisms import Choice
from xbot.chat.xmpp.stream.connection import State
from xbot.model.jid import Jid
from xbot.runtime.subprocesses import CannotRun, run_program
from xbot.state import private_file

#: The rooms; alice is in the first one.
ROOMS = (ROOM, "second@muc.example.org", "third@muc.example.org")

#: Seconds between two faults, and between two checks of the link.
EVERY = 420.0
STEP = 2.0

FULL = OSError(errno.ENOSPC, "No space left on device")
READ_ONLY = OSError(errno.EROFS, "Read-only file system")
NO_FILES = OSError(errno.EMFILE, "Too many open files")


class Day:
    """A bot, a model of a server, and a link between them with injected faults."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.bot = Bot(rooms=ROOMS, wall_clock=lambda: self.bot.clock.seconds() + self.now)
        self.clock = self.bot.clock
        self.server = ModelServer(self.clock)
        self.refusal: Exception | None = None
        self.is_hanging = self.is_mute = False
        self.most = 10**6
        self.faults = 0
        self.runs_asked = 0

    def live(self, seconds: float) -> None:
        """Time passes, and the link does what it can."""
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end:
            self.clock.advance(STEP)
            self.connect()
            for _ in range(50):
                if self.is_mute or not self.server.carry(self.most, self.most):
                    break
                if self.most < 10**6:
                    break

    def connect(self) -> None:
        """What the network does about attempts, and about connections that we closed."""
        if not self.server.is_connected and self.server._peer is not None:
            self.server.cut()
        attempts = self.bot.endpoint.attempts
        if not attempts or attempts[-1].called or self.is_hanging:
            return
        if self.refusal is not None:
            self.bot.endpoint.refuse(self.refusal)
        else:
            self.server.connect(self.bot.accept())

    def heal(self) -> None:
        """Everything works again."""
        self.refusal, self.is_hanging, self.is_mute, self.most = None, False, False, 10**6
        self.bot.journal.problem = None
        self.now = 0.0
        peer = self.server._peer
        if peer is not None and not peer.stream.is_writable:
            peer.stream.resumeProducing()

    def befall(self) -> None:
        """One fault, for a while."""
        self.faults += 1
        server, peer = self.server, self.server._peer
        kind = self.faults % 16
        if kind == 0:
            server.cut()
        elif kind == 1:
            server.expire()
            server.cut()
        elif kind in (2, 3, 4):
            self.refusal = (DNSLookupError(), ConnectionRefusedError(), NO_FILES)[kind - 2]
            server.cut()
        elif kind == 5:
            self.is_hanging = True
            server.cut()
        elif kind == 6:
            self.is_mute = True
        elif kind == 7:
            self.most = 1
            server.cut()
        elif kind == 8:
            # Accepts, and closes at once: in whatever state the login is.
            for _ in range(6):
                server.carry(self.random.randrange(2000), self.random.randrange(2000))
                server.cut()
                self.live(self.random.choice((2, 8)))
        elif kind == 9 and peer is not None and not peer.stream.negotiating:
            peer.stream.pauseProducing()
        elif kind == 10:
            self.bot.journal.problem = "No space left on device"
        elif kind == 11:
            self.now = self.random.choice((3600.0, -3600.0, 3.15e8, -3.15e8))
        elif kind == 12 and peer is not None:
            peer.feed("<!DOCTYPE x>")
        elif kind == 13 and peer is not None and not peer.stream.negotiating:
            self.clock.advance(300.0)
        elif kind == 14 and server.session is not None:
            room = self.random.choice(ROOMS)
            server.session.rooms.discard(room)
            server._push(
                f"<presence type='unavailable' from='{room}/bot'>"
                "<x xmlns='http://jabber.org/protocol/muc#user'><item role='none'/>"
                "<status code='110'/><status code='307'/></x></presence>"
            )
        elif peer is not None:
            peer.feed("</stream:stream>")
        self.ask()
        self.live(self.random.choice((10, 70, 200)))

    def ask(self) -> None:
        """Somebody wants something done, fault or not."""
        if self.server.session is not None:
            self.runs_asked += 1
            self.server._push(told(f"deploy {self.runs_asked}"))


class DayTests(unittest.TestCase):
    def test_a_day(self):
        """After a day with a fault every seven minutes it is in every room, as it was before."""
        failures = []

        def observe(event):
            if event.get("log_failure") or event.get("isError"):
                failures.append(event)

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
        day = Day(seed=1)
        day.live(20)
        day.clock.advance(0)
        calls = len(day.clock.getDelayedCalls())
        self.assertEqual([day.bot.adapter.nick_in(room) for room in ROOMS], ["bot"] * 3)
        while day.clock.seconds() < NOW + 86_400:
            day.befall()
            day.heal()
            day.live(max(0.0, NOW + EVERY * day.faults - day.clock.seconds()))
        self.assertGreater(day.faults, 190)
        day.live(600)
        self.assertEqual(failures, [])
        # The reactor's next turn is no wait.
        day.clock.advance(0)
        self.assertEqual(len(day.clock.getDelayedCalls()), calls)
        self.assertEqual([day.bot.adapter.nick_in(room) for room in ROOMS], ["bot"] * 3)
        self.assertEqual(day.bot.gave_up, [])
        if descriptors:
            self.assertEqual(len(os.listdir("/proc/self/fd")), descriptors)
        # Not twice, whatever was sent again; and the last word was heard.
        self.assertEqual(len(set(day.bot.runs)), len(day.bot.runs))
        self.assertGreater(len(day.bot.runs), day.faults // 3)
        before = len(day.bot.runs)
        day.ask()
        day.live(10)
        self.assertEqual(len(day.bot.runs), before + 1)
        self.assertEqual(len(day.bot.outbox), 0)
        self.assertEqual(day.bot.adapter.managed.unacknowledged, 0)


class LinkTests(unittest.TestCase):
    def test_restart_during_the_login(self):
        """A server that goes away at any step of the login is back at the next try."""
        for what, reach in STATES.items():
            bot = Bot()
            peer = bot.accept()
            reach(peer)
            peer.lose(ConnectionLost())
            self.assertIs(bot.state, State.WAITING, what)
            bot.online()
            self.assertEqual(bot.adapter.nick_in(ROOM), "bot", what)

    def test_no_descriptor(self):
        """Where no socket can be had the next try waits, ever longer."""
        bot = Bot()
        waits = []
        for _ in range(8):
            bot.endpoint.refuse(NO_FILES)
            self.assertIs(bot.state, State.WAITING)
            waits.append(bot.adapter.connection.status.next_try - bot.clock.seconds())
            bot.clock.advance(waits[-1])
        self.assertEqual(waits, sorted(waits))
        self.assertIn("Too many open files", str(bot.adapter.connection.status.last_error))
        bot.online()
        self.assertEqual(bot.adapter.nick_in(ROOM), "bot")

    def test_no_program(self):
        """Where no program can be started it is told, and nothing else happens."""

        def popen(*arguments, **more):
            raise NO_FILES

        self.patch(subprocess, "Popen", popen)
        with self.assertRaises(CannotRun) as caught:
            run_program(["/bin/true"], None)
        self.assertIn("Too many open files", str(caught.exception))


class StateFolderTests(unittest.TestCase):
    def test_small_files(self):
        """A small file that cannot be written costs a line; what it said holds in memory."""
        for error in FULL, READ_ONLY, NO_FILES:
            path = Path(self.mktemp()) / "state" / "file.json"

            def replace(path, data, error=error):
                raise error

            self.patch(private_file, "replace", replace)
            remembered = DowngradeProtection(path)
            remembered.got_login(JID, Choice("SCRAM-SHA-256"))
            with self.assertRaises(Downgrade):
                remembered.check(JID, Choice("PLAIN"), ())
            rooms = InvitedRooms(path)
            rooms.add(Invited(Jid.parse(ROOM), Jid.parse("alice@example.org")))
            self.assertIn(Jid.parse(ROOM), rooms)
            self.assertFalse(path.exists())

    def test_half_a_file(self):
        """A small file that was written in part only is the old one still."""
        path = Path(self.mktemp()) / "file"
        private_file.replace(path, b"old")

        def fsync(descriptor):
            raise FULL

        self.patch(os, "fsync", fsync)
        with self.assertRaises(OSError):
            private_file.replace(path, b"new")
        self.assertEqual(path.read_bytes(), b"old")

    def test_journal(self):
        """Whatever the disk says of the journal, what has effects does not run, and is told."""
        for error in FULL, READ_ONLY, NO_FILES:
            bot = Bot()
            peer = bot.online()
            self.patch(bot.journal, "accept", lambda message, responder, error=error: fail(error))
            peer.feed(told("deploy"))
            self.assertEqual(bot.runs, [])
            self.assertIn("cannot run now", str(peer.stanza().body))
            self.assertEqual(bot.dispatcher.fates["refused"], 1)
            self.flushLoggedErrors(OSError)
            peer.feed(told("ping"))
            self.assertEqual(str(peer.stanza().body), "pong")
