"""The stream after the login, and its end."""

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial import unittest
from twisted.words.protocols.jabber.xmlstream import STREAM_AUTHD_EVENT
from twisted.words.xish.xmlstream import STREAM_END_EVENT

from tests.chat.xmpp.harness import END, HEADER, Peer, parse
from xbot.chat.xmpp.stream.stream import CLOSE_TIMEOUT, MAX_UNREAD
from xbot.chat.xmpp.wire.errors import ConnectionProblem, ProtocolViolation, StreamError
from xbot.chat.xmpp.wire.serialize import Unserializable


def online():
    peer = Peer()
    peer.log_in()
    peer.heard, peer.ends = [], []
    peer.stream.addObserver("/*", peer.heard.append)
    peer.stream.addObserver(STREAM_END_EVENT, peer.ends.append)
    return peer


class OutTests(unittest.TestCase):
    def test_only_elements(self):
        """Text and bytes are never sent as they are."""
        peer = online()
        for thing in "<message/>", b"<message/>", None, 1:
            with self.assertRaises(TypeError):
                peer.stream.send(thing)
        self.assertEqual(peer.sent(), "")

    def test_refused_whole(self):
        """Of an element that is refused not a byte is written."""
        peer = online()
        stanza = parse("<message><body>x</body></message>")
        stanza.addRawXml("<iq/>")
        with self.assertRaises(Unserializable):
            peer.stream.send(stanza)
        self.assertEqual(peer.sent(), "")

    def test_nothing_after_the_end(self):
        """After our end tag nothing is written."""
        peer = online()
        peer.stream.end(ConnectionProblem("why"))
        peer.stream.send(parse("<message/>"))
        peer.stream.end(ConnectionProblem("again"))
        self.assertEqual(peer.sent(), END)
        self.assertEqual(str(peer.stream.problem), "why")
        peer.lose()
        peer.stream.send(parse("<message/>"))
        self.assertEqual(peer.sent(), "")

    def test_one_write_for_each_read(self):
        """All that is said to what came in one piece leaves in one piece, the end included."""
        peer = online()
        peer.stream.addObserver("/message", lambda stanza: peer.stream.send(stanza))
        written = []
        peer.transport.write = written.append
        peer.feed("<message id='1'/><message id='2'/>")
        peer.feed("<message id='3'/><message>")
        peer.stream.send(parse("<presence/>"))
        peer.feed("</message></stream:stream>")
        self.assertEqual(
            written,
            [
                b"<message id='1'/><message id='2'/>",
                b"<message id='3'/>",
                b"<presence/>",
                b"<message/></stream:stream>",
            ],
        )

    def test_a_server_that_does_not_read(self):
        """What we write while nobody reads has a bound, and counts anew once somebody does."""
        peer = online()
        peer.stream.max_stanza = MAX_UNREAD
        stanza = parse(f"<iq type='result'>{'x' * (MAX_UNREAD // 2)}</iq>")
        for _ in range(3):
            peer.transport.producer.pauseProducing()
            peer.stream.send(stanza)
            peer.transport.producer.resumeProducing()
        self.assertIsNone(peer.stream.problem)
        peer.transport.producer.pauseProducing()
        peer.stream.send(stanza)
        peer.transport.clear()
        peer.stream.send(stanza)
        self.assertEqual(peer.sent(), "")
        self.assertTrue(peer.transport.aborted)
        self.assertIn("does not read", str(peer.stream.problem))


class InTests(unittest.TestCase):
    def test_stanzas_only(self):
        """What is no stanza of a client's stream is dropped, and the stream goes on."""
        peer = online()
        for text in (
            "<message xmlns='jabber:server'/>",
            "<message xmlns=''/>",
            "<x/>",
            "<stream:features/>",
            "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
            "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            "<message><x xmlns='a b'/></message>",
        ):
            peer.feed(text)
        self.assertEqual((peer.heard, peer.stream.dropped), ([], 7))
        peer.feed("<message/><presence/><iq/>")
        self.assertEqual([stanza.name for stanza in peer.heard], ["message", "presence", "iq"])

    def test_an_observer_that_raises(self):
        """An observer's fault is logged, and neither the stream nor other observers notice."""
        peer = online()
        heard = []
        peer.stream.addObserver("/message", lambda stanza: 1 / 0)
        peer.stream.addObserver("/message", heard.append)
        peer.feed("<message/>")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIsNone(peer.stream.problem)
        self.assertEqual(len(heard), 1)

    def test_violation(self):
        """A violation ends the stream; what stands behind it, and comes later, is not heard."""
        peer = online()
        peer.feed("<message/><!-- x --><message/>")
        peer.feed("<message/>")
        self.assertEqual(len(peer.heard), 1)
        self.assertIsInstance(peer.stream.problem, ProtocolViolation)
        self.assertEqual(str(peer.stream.problem), "the server sent a comment")
        self.assertEqual(peer.sent(), END)

    def test_nothing_is_heard_after_an_end_within_one_segment(self):
        """Stanzas behind the one that made us end are not dispatched."""
        peer = online()
        peer.stream.addObserver("/presence", lambda _: peer.stream.end(ConnectionProblem("enough")))
        peer.feed("<presence/><message/>" + END)
        self.assertEqual([stanza.name for stanza in peer.heard], ["presence"])
        self.assertEqual(str(peer.stream.problem), "enough")

    def test_stream_errors(self):
        """A stream error is told whole, however odd it is, and in bounded length."""
        xmlns = "xmlns='urn:ietf:params:xml:ns:xmpp-streams'"
        table = {
            "": ("undefined-condition", ""),
            f"<conflict {xmlns}/>": ("conflict", ""),
            f"<text {xmlns}>{'x' * 1000}</text>": ("undefined-condition", "x" * 200),
            "<conflict/>": ("undefined-condition", ""),
            f"<{'x' * 1000} {xmlns}/>": ("x" * 64, ""),
            f"<see-other-host {xmlns}>attacker.example</see-other-host>": ("see-other-host", ""),
        }
        for content, (condition, text) in table.items():
            peer = online()
            peer.feed(f"<stream:error>{content}</stream:error>")
            problem = peer.stream.problem
            self.assertIsInstance(problem, StreamError)
            self.assertEqual((problem.condition, problem.text), (condition, text))


class EndTests(unittest.TestCase):
    def test_polite(self):
        """The peer has its time to close; when it does, nothing is left."""
        peer = online()
        peer.stream.end(ConnectionProblem("why"))
        self.assertTrue(peer.transport.disconnecting)
        peer.clock.advance(CLOSE_TIMEOUT - 0.1)
        self.assertFalse(peer.transport.aborted)
        peer.lose()
        self.assertEqual(peer.clock.getDelayedCalls(), [])
        self.assertEqual([end.getErrorMessage() for end in peer.ends], ["why"])

    def test_a_peer_that_never_closes(self):
        """A close that is not finished in time is forced, whatever the peer still sends."""
        peer = online()
        peer.stream.end(ConnectionProblem("why"))
        peer.feed("<message/>")
        peer.clock.advance(CLOSE_TIMEOUT)
        self.assertTrue(peer.transport.aborted)
        peer.lose()
        self.assertEqual(peer.clock.getDelayedCalls(), [])

    def test_abort(self):
        """With ``abort`` nothing is said any more."""
        peer = online()
        peer.stream.end(ConnectionProblem("why"), abort=True)
        self.assertEqual((peer.sent(), peer.transport.aborted), ("", True))
        self.assertEqual(peer.clock.getDelayedCalls(), [])

    def test_lost(self):
        """A lost connection is told once, in words."""
        table = {
            ConnectionDone(): "the server closed the connection",
            ConnectionLost(): "the connection was lost (Connection to the other side was lost",
        }
        for error, text in table.items():
            peer = online()
            peer.lose(error)
            peer.stream.end(ConnectionProblem("late"))
            (end,) = peer.ends
            self.assertIs(end.value, peer.stream.problem)
            self.assertIn(text, end.getErrorMessage())
            self.assertEqual(peer.clock.getDelayedCalls(), [])

    def test_during_the_login(self):
        """A login that was ended never becomes a session."""
        peer = Peer()
        sessions = []
        peer.stream.addObserver(STREAM_AUTHD_EVENT, sessions.append)
        peer.feed(HEADER)
        peer.stream.end(ConnectionProblem("why"))
        peer.feed("<stream:features/>")
        self.assertEqual(sessions, [])
