"""Poison messages: one that ends each stream is dropped, and no other."""

from twisted.internet.error import ConnectionLost
from twisted.logger import globalLogPublisher
from twisted.words.xish import domish

from tests.chat.xmpp.harness import BIND, JID, features
from tests.chat.xmpp.stream.test_stream_management import NS, ROOM, SM, ManagedCase
from xbot.chat.xmpp.stream.ack_queue import Sent
from xbot.chat.xmpp.stream.poison import MAX_CUTS, PROMPTLY
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.errors import Ended
from xbot.model.message import Message

POLICY, SHUTDOWN = (
    f"<stream:error><{condition} xmlns='{ns.STREAM_ERRORS}'/></stream:error>"
    for condition in ("policy-violation", "system-shutdown")
)


class PoisonCase(ManagedCase):
    def setUp(self):
        super().setUp()
        self.told = []
        self.ends = 0
        self.by_chunk = False
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def put(self, text, to=ROOM):
        """Say it, and note what becomes of it."""
        room = ROOM if to == ROOM else None
        self.outbox.put(
            Message("", to, text, {"type": "groupchat" if room else "chat"}, room=room),
            lambda: self.told.append(f"{text} delivered"),
            lambda: self.told.append(f"{text} failed"),
        )

    def errors(self):
        """What the log says of what was dropped."""
        return [
            event["log_format"].format(**event)
            for event in self.events
            if event["log_format"].startswith("dropped")
        ]

    def serve(self, peer, h, how):
        """The server reads what we sent until a poison ends the stream: its count by then.

        Asked on the way, it answers. Where ``by_chunk``, it refuses all that it reads at
        once with the poison, as ejabberd does.
        """
        while peer.stream.problem is None and (sent := peer.sent()):
            parts = sent.replace("<message", "\0<message").replace("<r ", "\0<r ").split("\0")
            if self.by_chunk and "poison" in sent:
                parts = ["poison"]
            for part in parts:
                if part.startswith("<r "):
                    self.acknowledge(peer, h)
                elif "poison" in part:
                    self.ends += 1
                    if how is not None:
                        peer.feed(how)
                    peer.lose(ConnectionLost() if how is None else None)
                    break
                elif part.startswith("<message"):
                    h += 1
        return h


class ResumedTests(PoisonCase):
    def play(self, how, *texts):
        """Say all of this to a server that keeps sessions, until nothing is left."""
        peer, h = self.log_in(), 3
        for text in texts:
            self.put(text)
        h = self.serve(peer, h, how)
        while peer.stream.problem is not None and self.ends < 9:
            self.wait()
            peer = self.endpoint.accept()
            peer.authenticate()
            peer.feed(features(BIND + SM))
            peer.sent()
            peer.feed(f"<resumed xmlns='{NS}' previd='s1' h='{h}'/>")
            h = self.serve(peer, h, how)
        self.acknowledge(peer, h)

    def test_dropped_after_two_streams(self):
        """Two streams end over it, told why or not, or five break; then all others arrive."""
        for how, ends in ((POLICY, 2), ("</stream:stream>", 2), ("", 2), (None, MAX_CUTS)):
            self.setUp()
            self.play(how, "a", "poison", "b")
            self.assertEqual(self.ends, ends, how)
            self.assertEqual(self.told, ["a delivered", "poison failed", "b delivered"])
            self.assertEqual(len(self.outbox), 0)
            (error,) = self.errors()
            self.assertIn(ROOM, error)
            self.assertIn("bytes", error)
            self.assertNotIn("poison", error)
            self.assertEqual(self.outbox.counts["refused"], 1)

    def test_refused_as_a_whole(self):
        """Where a server refuses all that it reads at once, the neighbours arrive as well."""
        self.by_chunk = True
        self.play(POLICY, "a", "b", "poison", "c", "d")
        self.assertIn("poison failed", self.told)
        self.assertEqual(len(self.told), 5)
        self.assertEqual([t for t in self.told if "failed" in t], ["poison failed"])

    def test_two_of_them(self):
        """Each has its own two streams."""
        self.play(POLICY, "a", "poison 1", "poison 2", "b")
        self.assertEqual(self.ends, 4)
        self.assertEqual(
            sorted(self.told), ["a delivered", "b delivered", "poison 1 failed", "poison 2 failed"]
        )

    def test_a_question_that_ends_streams(self):
        """A stanza that is no message is not repeated for ever on one session either."""
        peer = self.log_in()
        self.adapter.iq.send(_ping("poison"))
        self.put("a")
        for _ in range(2):
            peer.feed(POLICY)
            peer = self.come_back(peer)
            self.resumed(peer, 3)
        sent = peer.sent()
        self.assertNotIn("poison", sent)
        self.assertIn("<body>a</body>", sent)
        self.acknowledge(peer, 4)
        self.assertEqual(self.told, ["a delivered"])
        self.assertEqual(len(self.errors()), 1)

    def test_innocent(self):
        """A server that goes down, or a stream that we end, says nothing against what was said."""
        peer = self.log_in()
        self.put("a")
        for how in (SHUTDOWN, "<nonsense", SHUTDOWN, SHUTDOWN):
            peer.feed(how)
            peer = self.come_back(peer)
            self.resumed(peer, 3)
            self.assertEqual(self.bodies(peer), ["a"])
        self.acknowledge(peer, 4)
        self.assertEqual(self.told, ["a delivered"])

    def test_cuts_in_between(self):
        """What arrived after a cut is free of suspicion: later cuts count for others."""
        peer = self.log_in()
        self.put("a")
        peer = self.come_back(peer)
        self.resumed(peer, 3)
        self.acknowledge(peer, 4)
        self.put("b")
        peer = self.come_back(peer)
        self.resumed(peer, 4)
        self.acknowledge(peer, 5)
        self.assertEqual(self.told, ["a delivered", "b delivered"])


class NewSessionTests(PoisonCase):
    def play(self, *texts):
        """The same with a server that keeps no session, and does not tell what it had."""
        peer = self.log_in("<enabled xmlns='{}'/>")
        for text in texts:
            self.put(text)
        h = self.serve(peer, 3, POLICY)
        while peer.stream.problem is not None and self.ends < 9:
            self.wait()
            peer = self.endpoint.accept()
            peer.authenticate()
            peer.feed(features(BIND + SM))
            peer.bind(str(JID))
            peer.feed(f"<enabled xmlns='{NS}'/>")
            self.enter(peer)
            h = self.serve(peer, 3, POLICY)
        self.acknowledge(peer, h)

    def test_dropped_after_two_streams(self):
        """A new session each time changes nothing: two streams, and it is told as failed."""
        self.play("poison", "a")
        self.assertEqual((self.ends, self.told), (2, ["poison failed", "a delivered"]))

    def test_the_second_in_the_queue(self):
        """What was said before and after the poison arrives, and is not blamed."""
        self.play("a", "b", "poison", "c")
        self.assertLessEqual(self.ends, 3)
        self.assertEqual(sorted(self.told), [
            "a delivered", "b delivered", "c delivered", "poison failed"
        ])  # fmt: skip

    def test_refused_as_a_whole(self):
        """Where a server refuses all that it reads at once, the neighbours arrive as well."""
        self.by_chunk = True
        self.play("a", "b", "poison", "c", "d")
        self.assertEqual([told for told in self.told if "failed" in told], ["poison failed"])
        self.assertEqual(len(self.told), 5)

    def test_nobody_waits_for_ever(self):
        """A server that does not tell whether it has a suspect holds up others for a while only."""
        peer = self.log_in()
        self.put("a")
        peer.feed(POLICY)
        peer.lose()
        self.wait()
        peer = self.endpoint.accept()
        peer.authenticate()
        peer.feed(features(BIND + SM))
        self.put("b")
        self.resumed(peer, 3)
        self.assertEqual(self.bodies(peer), ["a"])
        self.put("c")
        self.assertEqual(self.bodies(peer), [])
        self.clock.advance(PROMPTLY)
        self.assertEqual(self.bodies(peer), ["b", "c"])

    def test_said_once_more(self):
        """Whoever says it again under the same id is told at once; no stream ends over it."""
        self.play("poison", "a")
        ends = self.ends
        message = Message("", ROOM, "poison", {"type": "groupchat", "id": "p"}, room=ROOM)
        suspects = self.adapter.managed._suspects
        for _ in range(2):
            suspects.blame(Sent(b"", message), Ended("so"))
        self.outbox.put(message, None, lambda: self.told.append("again failed"))
        self.assertEqual((self.told[-1], self.ends), ("again failed", ends))


def _ping(id):
    iq = domish.Element(("jabber:client", "iq"))
    iq["type"], iq["id"] = "get", id
    return iq
