"""The state machine of the connection."""

from twisted.internet.address import HostnameAddress
from twisted.internet.error import ConnectingCancelledError, ConnectionLost, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial import unittest

from tests.chat.xmpp.harness import (
    FakeEndpoint,
    Peer,
    features,
    lowest,
    make_factory,
    mechanisms,
    sasl,
)
from xbot.chat.xmpp.stream.connection import (
    CONNECT_TIMEOUT,
    LAST_RETRY,
    RARE_RETRY,
    STABLE,
    Connection,
    State,
)
from xbot.chat.xmpp.stream.reconnect_policy import LOGIN_TRIES
from xbot.chat.xmpp.wire.errors import LoginRefused, NegotiationTimeout


class ConnectionTests(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.endpoint = FakeEndpoint(self.clock)
        self.gave_up = []
        self.connection = Connection(
            self.endpoint, make_factory(self.clock), self.clock, lowest, self.gave_up.append
        )

    @property
    def state(self):
        return self.connection.status.state

    def online(self):
        peer = self.endpoint.accept()
        peer.log_in()
        self.assertIs(self.state, State.ONLINE)
        return peer

    def refused(self, condition="not-authorized"):
        peer = self.endpoint.accept()
        peer.start_tls()
        peer.feed(features(mechanisms("PLAIN")))
        peer.feed(sasl("failure", f"<{condition}/>"))
        peer.lose()

    def connection_starts(self):
        self.connection.start()

    def wait(self):
        """Seconds until the next try; it begins."""
        self.assertIs(self.state, State.WAITING)
        seconds = self.connection.status.next_try - self.clock.seconds()
        tries = len(self.endpoint.attempts)
        self.clock.advance(seconds - 0.01)
        self.assertEqual(len(self.endpoint.attempts), tries)
        self.clock.advance(0.02)
        self.assertEqual(len(self.endpoint.attempts), tries + 1)
        return round(seconds)

    def test_states(self):
        """From stopped to online and back, each state can be read."""
        self.assertIs(self.state, State.STOPPED)
        self.connection.start()
        self.connection.start()
        self.assertEqual(len(self.endpoint.attempts), 1)
        self.assertIs(self.state, State.CONNECTING)
        self.clock.advance(3)
        peer = self.endpoint.accept()
        self.assertIs(self.state, State.NEGOTIATING)
        self.assertEqual(self.connection.status.since, 3)
        self.assertIsNone(self.connection.stream)
        peer.log_in()
        self.assertIs(self.connection.stream, peer.stream)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        peer.lose(ConnectionLost())
        self.assertIs(self.state, State.WAITING)
        self.assertIsNone(self.connection.stream)
        self.assertIn("the connection was lost", self.connection.status.last_error)
        self.assertEqual(self.connection.status.next_try, 3)

    def test_growing_delays(self):
        """Each failure is followed by a longer wait, up to the bound."""
        self.connection.start()
        delays = []
        for _ in range(11):
            self.endpoint.refuse(ConnectionRefusedError())
            delays.append(self.wait())
        self.assertEqual(delays[:5], [1, 2, 4, 8, 16])
        self.assertEqual(delays[-1], LAST_RETRY / 2)

    def test_accept_and_close(self):
        """A server that accepts and closes, or throws us out soon, is tried ever more rarely."""
        self.connection.start()
        delays = []
        for _ in range(3):
            self.endpoint.accept().lose()
            delays.append(self.wait())
            peer = self.online()
            self.clock.advance(STABLE - 1)
            peer.lose()
            delays.append(self.wait())
        self.assertEqual(delays, [1, 2, 4, 8, 16, 32])

    def test_reset_after_a_while(self):
        """After a while online the next loss is the first one again: the return is at once."""
        self.connection.start()
        for _ in range(5):
            self.endpoint.refuse(ConnectionRefusedError())
            self.wait()
        for _ in range(2):
            peer = self.online()
            self.clock.advance(STABLE)
            peer.lose()
            self.assertEqual(self.wait(), 0)
            self.online().lose()
            self.assertEqual(self.wait(), 1)

    def test_not_at_once(self):
        """A server that ends the stream for a reason, or sends nonsense, is given a second."""
        for said in "<x/>", "<!-- x -->", "<stream:error><reset/></stream:error>":
            self.setUp()
            self.connection.start()
            peer = self.online()
            self.clock.advance(STABLE)
            peer.feed(said)
            peer.lose()
            self.assertEqual(self.wait(), 0 if said == "<x/>" else 1, said)

    def test_credentials_refused(self):
        """Refused credentials are tried a few times, then a person is told, once."""
        self.connection.start()
        for _ in range(LOGIN_TRIES - 1):
            self.refused()
            self.assertEqual(self.gave_up, [])
            self.wait()
        self.refused()
        self.assertIs(self.state, State.FAILED)
        self.assertIsInstance(self.gave_up[0], LoginRefused)
        self.assertEqual(len(self.gave_up), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.connection.start()
        self.assertEqual(len(self.endpoint.attempts), LOGIN_TRIES)
        self.successResultOf(self.connection.stop())
        self.assertIs(self.state, State.FAILED)

    def test_refusals_are_forgotten(self):
        """A login that succeeds makes the next refusal the first one."""
        self.connection.start()
        for _ in range(3):
            for _ in range(LOGIN_TRIES - 1):
                self.refused()
                self.wait()
            self.online().lose()
            self.wait()
        self.assertEqual(self.gave_up, [])

    def test_credentials_that_have_worked(self):
        """Credentials that have worked are tried for ever, with long pauses, and it is told."""
        self.connection.start()
        self.online().lose()
        self.wait()
        for _ in range(LOGIN_TRIES - 1):
            self.refused()
            self.wait()
        with capturedLogs() as events:
            for _ in range(3):
                self.refused()
                self.assertGreaterEqual(self.wait(), RARE_RETRY)
        told = [e for e in events if "has worked before" in e["log_format"]]
        self.assertEqual(len(told), 3)
        self.assertEqual(self.gave_up, [])
        self.online()

    def test_not_final(self):
        """A refusal for now never makes us give up."""
        self.connection.start()
        for _ in range(3 * LOGIN_TRIES):
            self.refused("temporary-auth-failure")
            self.wait()
        self.assertEqual(self.gave_up, [])

    def test_connect_timeout(self):
        """A try that takes too long is given up, in words, whatever the endpoint calls that."""
        for error in None, ConnectingCancelledError(HostnameAddress(b"example.org", 5222)):
            self.setUp()
            self.connection.start()
            canceller = (lambda attempt, error=error: attempt.errback(error)) if error else None
            self.endpoint.attempts[-1]._canceller = canceller
            self.clock.advance(CONNECT_TIMEOUT)
            self.assertEqual(self.connection.status.last_error, "no connection within 60 s")
            self.assertEqual(self.wait(), 1)

    def test_negotiation_timeout(self):
        """A server that accepts and is silent is left, and tried again."""
        self.connection.start()
        peer = self.endpoint.accept()
        self.clock.advance(30)
        self.assertIsInstance(peer.stream.problem, NegotiationTimeout)
        peer.lose()
        self.assertIn("longer than 30 s", self.connection.status.last_error)
        self.wait()

    def test_deadlines(self):
        """Each state that waits for others has ended by its deadline; online may last."""
        self.assertIsNone(self.connection.deadline)
        self.connection.start()
        for _ in range(3):
            self.assertEqual(self.connection.deadline, self.clock.seconds() + CONNECT_TIMEOUT)
            self.clock.advance(CONNECT_TIMEOUT)
            self.assertIs(self.state, State.WAITING)
            self.assertEqual(self.connection.deadline, self.connection.status.next_try)
            self.clock.advance(self.connection.deadline - self.clock.seconds())
            self.assertIs(self.state, State.CONNECTING)
        peer = self.endpoint.accept()
        deadline = self.connection.deadline
        self.clock.advance(deadline - self.clock.seconds())
        # The server does not even close.
        self.assertTrue(peer.transport.aborted)
        peer.lose()
        self.wait()
        self.online()
        self.assertIsNone(self.connection.deadline)
        self.connection.stop()
        self.assertGreater(self.connection.deadline, self.clock.seconds())

    def test_odd_errors(self):
        """An error that nobody foresaw is told and followed by another try."""
        self.connection.start()
        self.endpoint.refuse(ZeroDivisionError())
        self.assertEqual(self.connection.status.last_error, "ZeroDivisionError")
        self.wait()

    def test_stop(self):
        """Stopping works in every state, and leaves nothing on the clock."""
        reach = {
            State.STOPPED: lambda: None,
            State.CONNECTING: self.connection_starts,
            State.WAITING: lambda: (
                self.connection.start(),
                self.endpoint.refuse(ConnectionRefusedError()),
            ),
        }
        for state, act in reach.items():
            self.setUp()
            act()
            self.assertIs(self.state, state)
            self.successResultOf(self.connection.stop())
            self.assertIs(self.state, State.STOPPED)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.connection.start()
            self.assertIs(self.state, State.CONNECTING)

    def test_stop_with_a_stream(self):
        """An open stream is closed politely first; both who asked for the stop are told."""
        for log_in in True, False:
            self.setUp()
            self.connection.start()
            peer = self.endpoint.accept()
            if log_in:
                peer.log_in()
            stops = [self.connection.stop(), self.connection.stop()]
            self.assertIs(self.state, State.CLOSING)
            self.assertIsNone(self.connection.stream)
            self.assertTrue(peer.sent().endswith("</stream:stream>"))
            for stop in stops:
                self.assertNoResult(stop)
            self.clock.advance(10)
            self.assertTrue(peer.transport.aborted)
            peer.lose()
            for stop in stops:
                self.successResultOf(stop)
            self.assertIs(self.state, State.STOPPED)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_connection_that_comes_too_late(self):
        """A connection that nobody waits for any more is cut, and brings nobody back."""
        self.connection.start()
        self.successResultOf(self.connection.stop())
        late = Peer(self.endpoint.factory, self.clock)
        self.assertTrue(late.transport.aborted)
        self.assertEqual(late.sent(), "")
        late.lose()
        self.assertIs(self.state, State.STOPPED)
        self.assertEqual(self.clock.getDelayedCalls(), [])
