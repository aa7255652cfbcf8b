"""Tests of :mod:`xbot.web.service`."""

import json
import tempfile
from pathlib import Path
from shutil import rmtree

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.web.scene import BAD, GOOD, NOW
from xbot.config.settings import HttpSettings, Listen
from xbot.model.recent_events import Command
from xbot.model.status import PATIENCE, Link, Overview, Phase
from xbot.web.answer import SVG
from xbot.web.server import HEADERS
from xbot.web.service import LAG_PERIOD, StatusServer


class PagesTests(unittest.TestCase):
    def setUp(self):
        self.overview = GOOD
        self.clock = Clock()
        settings = HttpSettings(Listen("127.0.0.1", 1))
        self.server = StatusServer(settings, lambda: self.overview, self.clock, lambda: NOW)

    def get(self, path):
        return self.server._pages()[path]()

    def test_healthz(self):
        """It is well while its connection is not stuck, even without a server."""
        for link, status in (
            (GOOD.link, 200),
            (Link("waiting", 9e9, "refused", 300.0, PATIENCE), 200),
            (Link("connecting", 100.0, overdue=PATIENCE + 1), 503),
        ):
            self.overview = evolve(GOOD, link=link)
            self.assertEqual(self.get("/healthz").status, status)

    def test_readyz(self):
        """It is ready in all rooms of the ini; if not, it is told why."""
        self.assertEqual(self.get("/readyz").status, 503)
        self.assertIn(b"refused by board@", self.get("/readyz").body)
        rooms = tuple(room for room in GOOD.rooms if room.is_joined)
        self.overview = evolve(GOOD, rooms=rooms)
        self.assertEqual((self.get("/readyz").status, self.get("/readyz").body),
                         (200, b"in 6 of 6 rooms\n"))  # fmt: skip
        # One to which somebody invited us does not count.
        others = tuple(evolve(room, state="absent") for room in rooms if not room.is_named)
        self.overview = evolve(GOOD, rooms=rooms[:-1] + others)
        self.assertEqual(self.get("/readyz").status, 200)

    def test_status(self):
        """All of it can be read as JSON, whatever it holds."""
        told = json.loads(self.get("/status.json").body)
        self.assertEqual((told["phase"], told["ready"]), ("running", False))
        self.assertEqual(told["rooms"][0]["jid"], "ops@conference.example.org")
        self.assertEqual(told["link"]["round_trip"], 0.0134)
        self.assertEqual(told["posts"]["answers"]["alerts"]["202"], 7)
        self.overview = BAD
        self.assertEqual(json.loads(self.get("/status.json").body)["name"], BAD.name)
        self.overview = Overview(Phase.STARTING, Link("stopped", 0.0))
        self.assertTrue(json.loads(self.get("/status.json").body))

    def test_page_and_what_it_needs(self):
        """The page, its style and its icon come from the package; nothing else is asked for."""
        self.assertIn(b'href="style.css"', self.get("/").body)
        self.assertIn(b"body {", self.get("/style.css").body)
        self.assertEqual(self.get("/icon.svg").kind, SVG)
        self.assertNotIn(b"url(", self.get("/style.css").body)
        self.assertIn("default-src 'none'", HEADERS["content-security-policy"])

    def test_lag(self):
        """How late the reactor is, is looked at once a second, and shown."""
        self.server.listening.start = lambda: None
        self.server.start()
        self.clock.advance(LAG_PERIOD)
        self.clock.advance(LAG_PERIOD + 2.5)
        self.server.got_command(Command(NOW, "ping", "a", "b", "answered", 0.1))
        metrics = self.get("/metrics").body.decode()
        self.assertIn('xbot_reactor_lag_seconds_bucket{le="1.0"} 2.0', metrics)
        self.assertIn("xbot_reactor_lag_seconds_count 3.0", metrics)
        self.assertIn('xbot_commands_total{outcome="answered",responder="ping"} 1.0', metrics)
        self.clock.advance(30)
        self.assertIn("late by 29.5 s at most", self.get("/").body.decode())
        self.server.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Reading(Protocol):
    def __init__(self):
        self.data = b""
        self.done = Deferred()

    def dataReceived(self, data):
        self.data += data

    def connectionLost(self, reason):
        self.done.callback(self.data)


class SocketTests(unittest.TestCase):
    timeout = 30

    def test_unix(self):
        """At a unix socket, any name will do; it is closed and gone in the end."""

        async def read():
            folder = Path(tempfile.mkdtemp())
            self.addCleanup(rmtree, folder)
            path = folder / "http"
            server = StatusServer(HttpSettings(Listen(path=path)), lambda: GOOD, reactor)
            server.start()
            reading = await connectProtocol(UNIXClientEndpoint(reactor, str(path)), Reading())
            reading.transport.write(b"GET /healthz HTTP/1.1\r\nHost: proxy\r\n\r\n")
            told = await reading.done
            self.assertTrue(told.endswith(b"\r\n\r\nwell\n"), told)
            self.assertEqual(path.stat().st_mode & 0o777, 0o660)
            await server.stop()
            self.assertFalse(path.exists())

        return Deferred.fromCoroutine(read())
