"""Subprotocol handlers: isolated from each other's exceptions."""

import re

from twisted.internet.task import Clock
from twisted.trial import unittest
from twisted.words.protocols.jabber import jid

from tests.chat.xmpp.harness import JID, Peer, make_factory, parse, session, shape
from xbot.chat.xmpp.stream.handlers import Handler, Handlers
from xbot.chat.xmpp.stream.iq import IQ_TIMEOUT, Iq, IqRefused, IqTimeout
from xbot.chat.xmpp.wire import _wokkel, ns
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


class Client(Handler, _wokkel.disco.DiscoClientProtocol):
    """A handler of wokkel's that asks."""


class RequestTests(unittest.TestCase):
    """What a handler of wokkel's asks, here its DiscoClientProtocol."""

    def setUp(self):
        self.clock = Clock()
        self.client = Client()
        self.iq = Iq(lambda: JID, self.clock)
        self.peer = session(self.iq, self.client, clock=self.clock)

    def ask(self):
        """Ask a service, and return the Deferred and the request that was sent."""
        answer = self.client.requestInfo(jid.JID("rooms.example.org"))
        return answer, self.peer.stanza()

    def reply(self, request, sender="rooms.example.org", kind="result"):
        self.peer.feed(
            f"<iq type='{kind}' id='{request['id']}' from='{sender}'>"
            f"<query xmlns='{ns.DISCO_INFO}'><identity category='conference' type='text'/>"
            f"<feature var='{ns.MUC}'/><x xmlns='{ns.DATA_FORM}' type='result'>"
            "<field var='FORM_TYPE' type='hidden'><value>urn:form</value></field>"
            "<field var='n'><value>3</value></field></x></query></iq>"
        )

    def test_answered(self):
        """The answer is what wokkel makes of the result, its data form included."""
        answer, request = self.ask()
        self.assertEqual(
            shape(request),
            (
                ns.CLIENT,
                "iq",
                {"type": "get", "to": "rooms.example.org", "id": request["id"]},
                [(ns.DISCO_INFO, "query", {}, [])],
            ),
        )
        self.reply(request)
        info = self.successResultOf(answer)
        self.assertEqual(info.features, {ns.MUC})
        self.assertEqual(info.extensions["urn:form"]["n"], "3")

    def test_not_guessed(self):
        """The id is ours and not wokkel's counter, and a reply from anyone else is dropped."""
        ids = [self.ask()[1]["id"] for _ in range(10)]
        # Twisted's counter gives H_0, H_1 and so on; ours may begin with H_ by chance.
        self.assertFalse(any(re.fullmatch(r"H_\d+", identity) for identity in ids))
        self.assertGreaterEqual(min(map(len, ids)), 12)
        answer, request = self.ask()
        self.reply(request, "mallory@example.net")
        self.assertNoResult(answer)
        self.assertEqual(self.iq.dropped["unasked"], 1)
        self.reply(request)
        self.successResultOf(answer)

    def test_no_answer(self):
        """Without an answer in time, it fails; so it does with an error, and without a session."""
        answer, request = self.ask()
        self.clock.advance(IQ_TIMEOUT)
        self.failureResultOf(answer, IqTimeout)
        answer, request = self.ask()
        self.reply(request, kind="error")
        self.failureResultOf(answer, IqRefused)
        answer, request = self.ask()
        self.peer.lose()
        self.failureResultOf(answer)
        self.failureResultOf(self.client.requestInfo(jid.JID("rooms.example.org")), NotConnected)

    def test_nothing_asks(self):
        """Where nothing sends requests, a request fails at once."""
        client = Client()
        session(client)
        self.failureResultOf(client.requestInfo(jid.JID("rooms.example.org")), NotConnected)
