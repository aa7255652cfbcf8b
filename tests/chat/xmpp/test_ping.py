"""Pings to the server (XEP-0199)."""

from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import JID, session
from xbot.chat.xmpp.ping import MAX_PATIENCE, Ping
from xbot.chat.xmpp.stream.iq import Iq
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.errors import ConnectionProblem, PingTimeout

INTERVAL, TIMEOUT = 30.0, 10.0


class PingTests(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        iq = Iq(lambda: JID, self.clock)
        self.ping = Ping(iq, "example.org", self.clock, interval=INTERVAL, timeout=TIMEOUT)
        self.peer = session(iq, self.ping, clock=self.clock)

    def answer(self, asked, kind="result"):
        self.peer.feed(f"<iq type='{kind}' id='{asked['id']}' from='example.org'/>")

    def test_every_interval(self):
        """The server is asked at each interval, and its time is measured."""
        self.clock.advance(INTERVAL - 0.1)
        self.assertEqual(self.peer.sent(), "")
        self.clock.advance(0.1)
        for _ in range(3):
            asked = self.peer.stanza()
            self.assertEqual((asked["to"], asked["type"]), ("example.org", "get"))
            self.assertEqual(asked.firstChildElement().uri, ns.PING)
            self.clock.advance(0.25)
            self.answer(asked)
            self.assertEqual(self.ping.round_trip, 0.25)
            self.clock.advance(INTERVAL - 0.25)
        self.assertIsNone(self.peer.stream.problem)

    def test_deadline(self):
        """By the deadline the server answered, or its connection was cut."""
        self.assertEqual(self.ping.deadline, INTERVAL + TIMEOUT)
        self.clock.advance(INTERVAL)
        self.clock.advance(1)
        self.answer(self.peer.stanza())
        self.assertEqual(self.ping.deadline, self.clock.seconds() + INTERVAL + TIMEOUT)
        self.ping.change(2 * INTERVAL, TIMEOUT)
        self.assertEqual(self.ping.deadline, self.clock.seconds() + 2 * INTERVAL + TIMEOUT)
        self.clock.advance(2 * INTERVAL)
        self.assertIsNone(self.peer.stream.problem)
        self.clock.advance(self.ping.deadline - self.clock.seconds())
        self.assertIsInstance(self.peer.stream.problem, PingTimeout)
        self.peer.lose()
        self.assertIsNone(self.ping.deadline)

    def test_an_error_is_life(self):
        """A server that knows no ping lives all the same."""
        self.clock.advance(INTERVAL)
        self.answer(self.peer.stanza(), "error")
        self.clock.advance(TIMEOUT)
        self.assertIsNone(self.peer.stream.problem)
        self.assertEqual(self.ping.round_trip, 0)

    def test_silence(self):
        """A server that does not answer in time is dead: the connection is cut."""
        self.clock.advance(INTERVAL)
        asked = self.peer.stanza()
        self.peer.feed(f"<iq type='result' id='{asked['id']}' from='mallory@example.net'/>")
        self.clock.advance(TIMEOUT - 0.1)
        self.assertIsNone(self.peer.stream.problem)
        self.clock.advance(0.1)
        self.assertIsInstance(self.peer.stream.problem, PingTimeout)
        self.assertTrue(self.peer.transport.aborted)

    def test_busy(self):
        """A server whose stanzas arrive lives, though a ping waits behind what we wrote."""
        self.clock.advance(INTERVAL)
        for _ in range(10):
            self.clock.advance(TIMEOUT / 2)
            self.ping.got_data()
            self.clock.advance(TIMEOUT / 2)
        self.assertIsNone(self.peer.stream.problem)
        self.assertGreater(self.ping.deadline, self.clock.seconds())
        self.answer(self.peer.stanzas()[-1])
        # Silence then is silence as always.
        self.clock.pump([1.0] * int(INTERVAL + 2 * TIMEOUT))
        self.assertIsInstance(self.peer.stream.problem, PingTimeout)

    def test_not_for_ever(self):
        """Who sends all the time and never answers a ping is left in the end."""
        self.clock.advance(INTERVAL)
        for _ in range(2 * (MAX_PATIENCE + 1)):
            self.assertIsNone(self.peer.stream.problem)
            self.ping.got_data()
            self.clock.advance(TIMEOUT / 2)
        self.assertIsInstance(self.peer.stream.problem, PingTimeout)

    def test_nothing_left(self):
        """With the connection goes every timer, a ping on its way or not."""
        for seconds in 0, INTERVAL:
            self.setUp()
            self.clock.advance(seconds)
            self.peer.lose()
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertIsInstance(self.peer.stream.problem, ConnectionProblem)

    def test_while_closing(self):
        """A ping that falls due while the stream closes is no fault."""
        self.clock.advance(INTERVAL - 1)
        self.peer.stream.end(ConnectionProblem("why"))
        self.clock.advance(2)
        self.assertEqual(str(self.peer.stream.problem), "why")
        self.peer.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])
