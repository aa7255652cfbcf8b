"""Subprotocol handlers: isolated from each other's exceptions."""

from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import Peer, make_factory, parse, session
from xbot.chat.xmpp.stream.handlers import Handler, Handlers
from xbot.chat.xmpp.wire.errors import ConnectionProblem
from xbot.model.errors import NotConnected


class Recorder(Handler):
    """A handler that records its calls, and raises where the test wants it."""

    def __init__(self, fails=()):
        super().__init__()
        self.fails, self.told = fails, []

    def _tell(self, what):
        self.told.append(what)
        if what in self.fails:
            raise ZeroDivisionError

    def connectionMade(self):
        self._tell("made")

    def connectionInitialized(self):
        self._tell("initialized")

    def connectionLost(self, reason):
        super().connectionLost(reason)
        self._tell("lost")


class HandlersTests(unittest.TestCase):
    def test_in_turn(self):
        """Handlers are told of the stream, the session and its end, in that order."""
        handlers = Recorder(), Recorder()
        peer = session(*handlers)
        self.assertIs(handlers[0].xmlstream, peer.stream)
        peer.lose()
        for handler in handlers:
            self.assertEqual(handler.told, ["made", "initialized", "lost"])
            self.assertIsNone(handler.xmlstream)

    def test_one_that_cannot_begin(self):
        """A handler that fails to begin ends the stream: half a bot is none."""
        first, bad, last = Recorder(), Recorder({"initialized"}), Recorder()
        peer = session(first, bad, last)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(str(peer.stream.problem), "Recorder could not start")
        self.assertTrue(peer.transport.disconnecting)
        with self.assertRaises(NotConnected):
            first.send(parse("<message/>"))
        peer.lose()
        self.assertEqual(first.told, ["made", "initialized", "lost"])
        self.assertEqual(last.told, ["lost"])

    def test_faults_at_the_end(self):
        """A handler that fails at the session's end leaves no later one untold."""
        bad, last = Recorder({"lost"}), Recorder()
        peer = session(bad, last)
        peer.lose()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(last.told, ["made", "initialized", "lost"])

    def test_nothing_is_queued(self):
        """Without a session nothing can be sent, and nothing of it is sent later."""
        clock = Clock()
        factory = make_factory(clock)
        parent, handler = Handlers(factory, clock), Recorder()
        handler.setHandlerParent(parent)
        message = parse("<message to='a@example.org'/>")
        with self.assertRaises(NotConnected) as caught:
            handler.send(message)
        self.assertEqual(caught.exception.recipient, "a@example.org")
        peer = Peer(factory, clock)
        with self.assertRaises(NotConnected):
            handler.send(message)
        peer.log_in()
        self.assertEqual(peer.sent(), "")
        handler.send(message)
        self.assertEqual(peer.stanza()["to"], "a@example.org")
        peer.stream.end(ConnectionProblem("why"))
        peer.sent()
        with self.assertRaises(NotConnected):
            handler.send(message)
        peer.lose()
        with self.assertRaises(NotConnected):
            handler.send(message)
        self.assertEqual(peer.sent(), "")
