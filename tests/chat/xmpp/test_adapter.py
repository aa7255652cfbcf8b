"""The adapter end to end, in memory: XML in, XML out."""

import re

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial import unittest
from twisted.words.xish import xpath
from zope.interface.verify import verifyObject

from tests.chat.xmpp.harness import (
    BIND,
    HEADER,
    JID,
    PASSWORD,
    TLS_OPTIONS,
    FakeEndpoint,
    Receipts,
    features,
    in_thread,
    lowest,
    parse_all,
    shape,
)
from xbot.chat.interfaces import IAdapter
from xbot.chat.xmpp.adapter import XmppAdapter
from xbot.chat.xmpp.deliveries import NOT_IN_ROOM_TRY
from xbot.chat.xmpp.stream.connection import State
from xbot.chat.xmpp.stream.login import Account
from xbot.chat.xmpp.wire import ns
from xbot.config.settings import RoomSettings, Secret, XmppSettings
from xbot.engine.outbox import Outbox
from xbot.model.errors import InvalidJid, NotConnected, Unreachable
from xbot.model.jid import Jid
from xbot.model.message import Message, reply_to

ROOM = "room@muc.example.org"
BODY = "<body>xbot: ping</body>"
USER = "<x xmlns='http://jabber.org/protocol/muc#user'>{}</x>"


class AdapterTests(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.endpoint = FakeEndpoint(self.clock)
        self.heard, self.gave_up, self.receipts = [], [], Receipts()
        self.adapter = XmppAdapter(
            XmppSettings(JID),
            Account(JID, Secret(PASSWORD), TLS_OPTIONS),
            self.endpoint,
            (RoomSettings(Jid.parse(ROOM), "bot"),),
            self.heard.append,
            self.receipts,
            self.gave_up.append,
            clock=self.clock,
            uniform=lowest,
            in_thread=in_thread,
        )

    def log_in(self):
        self.adapter.start()
        peer = self.endpoint.accept()
        peer.log_in("xbot@example.org/given")
        return peer

    def enter(self, peer):
        """The room lets us in, with its history and subject."""
        peer.feed(
            f"<presence from='{ROOM}/alice'>"
            + USER.format("<item role='participant' jid='alice@example.org/pda'/>")
            + f"</presence><presence from='{ROOM}/bot'>"
            + USER.format("<status code='110'/>")
            + f"</presence><message type='groupchat' from='{ROOM}'><subject/></message>"
        )

    def test_interface(self):
        """It keeps the contract of adapters."""
        verifyObject(IAdapter, self.adapter)

    def test_a_day(self):
        """It logs in, asks for its roster, enters, hears, answers, and says goodbye."""
        peer = self.log_in()
        self.assertEqual(str(self.adapter.jid), "xbot@example.org/given")
        roster, presence, join = peer.stanzas()
        self.assertEqual(roster.firstChildElement().uri, ns.ROSTER)
        self.assertEqual(shape(presence), (ns.CLIENT, "presence", {}, []))
        self.assertEqual(join["to"], f"{ROOM}/bot")
        peer.feed(f"<iq type='result' id='{roster['id']}'/>")
        self.enter(peer)
        peer.feed(f"<message type='groupchat' id='1' from='{ROOM}/alice'>{BODY}</message>")
        (message,) = self.heard
        self.assertEqual(
            evolve(message, key=None, occupant=None),
            Message(
                f"{ROOM}/alice", "xbot@example.org/given", "xbot: ping",
                {"type": "groupchat", "id": "1"},
                room=ROOM, nick="alice", identity="alice@example.org",
            ),
        )  # fmt: skip
        self.adapter.send(reply_to(message, "alice: pong"))
        said = peer.stanza()
        self.assertEqual(
            shape(said),
            (ns.CLIENT, "message", {"to": ROOM, "type": "groupchat"},
             [(ns.CLIENT, "body", {}, ["alice: pong"])]),
        )  # fmt: skip
        self.assertEqual(self.adapter.nick_in(ROOM), "bot")
        stopped = self.adapter.stop()
        goodbye, end = peer.sent().split("/>")
        self.assertEqual((goodbye, end), ("<presence type='unavailable'", "</stream:stream>"))
        self.assertNoResult(stopped)
        left = []
        stopped.addCallback(lambda _: left.extend(self.clock.getDelayedCalls()))
        peer.lose()
        self.successResultOf(stopped)
        self.assertEqual(left, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.gave_up, [])

    def test_a_room_that_had_lost_us(self):
        """What it sends back is said again, once; what others send back is not."""
        peer = self.log_in()
        self.enter(peer)
        said = [
            Message("", ROOM, text, {"type": "groupchat", "id": text}, room=ROOM) for text in "abc"
        ]
        for message in said:
            self.adapter.send(message)
        error = (
            "<message type='error' from='{}' id='{}'><error type='modify'><{}"
            " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        )
        for sender, id, condition in (
            (ROOM, "a", "not-acceptable"), (ROOM, "a", "not-acceptable"),
            (f"{ROOM}/alice", "c", "not-acceptable"), ("evil@example.org", "c", "not-acceptable"),
            (ROOM, "d", "not-acceptable"),
        ):  # fmt: skip
            peer.feed(error.format(sender, id, condition))
        self.assertEqual(self.receipts.bounced, said[:1])
        # It left again, and came back again.
        with self.assertRaises(NotConnected):
            self.adapter.send(said[0])
        self.clock.advance(NOT_IN_ROOM_TRY)
        self.adapter.send(said[0])
        peer.feed(error.format(ROOM, "a", "not-acceptable"))
        self.assertEqual(self.receipts.bounced, said[:1])
        self.assertEqual(self.receipts.rejected, [(said[0], "it came back: not-acceptable")])

    def test_a_room_that_refuses_us(self):
        """What waits for it is dropped at once, what is said later, too; others are answered."""
        outbox = Outbox(lambda message: self.adapter.send(message))
        self.receipts.got_ready = outbox.got_ready
        failed = []

        def put(text):
            message = Message("", ROOM, text, {"type": "groupchat"}, room=ROOM)
            outbox.put(message, None, lambda: failed.append(text))

        put("before the login")
        peer = self.log_in()
        put("while we enter")
        self.assertEqual((failed, len(outbox)), ([], 2))
        peer.feed(f"<presence type='error' from='{ROOM}/bot'>"
                  "<error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                  "</error></presence>")  # fmt: skip
        put("later")
        self.assertEqual(failed, ["before the login", "while we enter", "later"])
        peer.sent()
        outbox.put(Message("", "alice@example.org", "x", {"type": "chat"}))
        self.assertEqual(peer.stanza()["to"], "alice@example.org")
        # A new session may bring something else.
        peer.lose()
        put("again")
        self.assertEqual(len(failed), 3)

    def test_a_room_that_is_put_out_of(self):
        """Kicked, what is said waits for the return; banned or destroyed, it does not."""
        peer = self.log_in()
        said = Message("", ROOM, "x", {"type": "groupchat"}, room=ROOM)
        for content, error in (
            ("<status code='307'/>", NotConnected),
            ("<status code='301'/>", Unreachable),
        ):
            self.enter(peer)
            peer.feed(
                f"<presence type='unavailable' from='{ROOM}/bot'>"
                + USER.format(f"{content}<status code='110'/>")
                + "</presence>"
            )
            with self.assertRaises(NotConnected) as caught:
                self.adapter.send(said)
            self.assertIs(type(caught.exception), error)
            self.clock.pump([1] * 10)

    def test_a_room_that_we_left(self):
        """What waits while we leave is dropped once we are out; a room unknown is like one."""
        outbox = Outbox(lambda message: self.adapter.send(message))
        self.receipts.got_ready = outbox.got_ready
        failed = []
        peer = self.log_in()
        self.enter(peer)
        self.adapter.leave(ROOM)
        for room in ROOM, "other@muc.example.org":
            message = Message("", room, "x", {"type": "groupchat"}, room=room)
            outbox.put(message, None, lambda room=room: failed.append(room))
        self.assertEqual(failed, ["other@muc.example.org"])
        peer.feed(
            f"<presence type='unavailable' from='{ROOM}/bot'>"
            + USER.format("<status code='110'/>")
            + "</presence>"
        )
        self.assertEqual(failed, ["other@muc.example.org", ROOM])
        self.assertEqual(len(outbox), 0)

    def test_without_xpath(self):
        """Nothing of ours is asked for by an XPath expression, whose parser is large."""
        self.patch(xpath, "internQuery", self.fail)
        peer = self.log_in()
        self.enter(peer)
        self.assertEqual(self.adapter.nick_in(ROOM), "bot")
        peer.feed(f"<message type='groupchat' id='1' from='{ROOM}/alice'>{BODY}</message>")
        self.assertEqual(len(self.heard), 1)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_not_connected(self):
        """What cannot leave now is refused by name, and nothing of it leaves later."""
        public = Message("", ROOM, "x", {"type": "groupchat"})
        private = evolve(public, recipient=f"{ROOM}/alice", payload={"type": "chat"})
        chat = Message("", "a@example.org", "x")

        def assert_refused(*messages):
            for message in messages:
                with self.assertRaises(NotConnected) as caught:
                    self.adapter.send(message)
                self.assertEqual(str(caught.exception.recipient), message.recipient)

        assert_refused(public, private, chat)
        peer = self.log_in()
        peer.sent()
        assert_refused(public, private)
        self.assertIsNone(self.adapter.nick_in(ROOM))
        self.adapter.send(chat)
        self.assertEqual(peer.stanza()["to"], "a@example.org")
        for recipient in "@", "", "x" * 10_000:
            with self.assertRaises(InvalidJid):
                self.adapter.send(evolve(chat, recipient=recipient))
        self.enter(peer)
        for message in public, private:
            self.adapter.send(message)
            self.assertEqual(peer.stanza()["to"], message.recipient)
        peer.lose()
        assert_refused(public, private, chat)
        self.assertEqual(peer.sent(), "")

    def test_restart_into_history(self):
        """Twenty commands in the history that a room sends all the same are all the past."""
        peer = self.log_in()
        commands = f"<message type='groupchat' from='{ROOM}/alice'>{BODY}</message>" * 20
        peer.feed(commands)
        self.enter(peer)
        self.assertEqual([message.delayed for message in self.heard], [True] * 20)
        peer.lose()
        self.clock.advance(1)
        peer = self.endpoint.accept()
        peer.log_in()
        peer.feed(
            f"<presence from='{ROOM}/bot'>" + USER.format("<status code='110'/>") + "</presence>"
        )
        self.heard.clear()
        peer.feed(commands)
        self.assertEqual([message.delayed for message in self.heard], [True] * 20)

    def test_comes_back(self):
        """After a loss it logs in again and enters its rooms, with nothing of the old session."""
        peer = self.log_in()
        self.enter(peer)
        peer.lose()
        self.assertIsNone(self.adapter.nick_in(ROOM))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(1)
        peer = self.endpoint.accept()
        peer.log_in()
        self.assertIs(self.adapter.connection.status.state, State.ONLINE)
        self.assertEqual([stanza.name for stanza in peer.stanzas()], ["iq", "presence", "presence"])

    def test_join_and_leave(self):
        """Rooms can be joined and left while it runs."""
        peer = self.log_in()
        peer.sent()
        self.adapter.join(RoomSettings(Jid.parse("other@muc.example.org"), "bot"))
        self.assertEqual(peer.stanza()["to"], "other@muc.example.org/bot")
        self.adapter.leave("other@muc.example.org")
        self.assertEqual(peer.stanza()["type"], "unavailable")

    def test_a_hostile_stanza_in_the_history(self):
        """A stanza that Twisted's parser dies of costs itself only: no join loop comes of it."""
        peer = self.log_in()
        peer.feed(f"<message type='groupchat' from='{ROOM}/x'>{BODY}<x xmlns='a b'/></message>")
        self.enter(peer)
        self.assertEqual(self.heard, [])
        self.assertEqual(self.adapter.nick_in(ROOM), "bot")

    def test_what_a_responder_says(self):
        """Whatever a responder says leaves as one message."""
        peer = self.log_in()
        peer.sent()
        self.adapter.send(Message("", "a@b", "</body></message><iq/>\x00\ud800", {"id": "'/>\x00"}))
        (stanza,) = parse_all(peer.sent())
        self.assertEqual(str(stanza.body), "</body></message><iq/>\ufffd\ufffd")

    def test_conflict(self):
        """Thrown out by another program, we come back under another name, but only once."""
        conflict = (
            "<error xmlns='http://etherx.jabber.org/streams'>"
            "<conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>"
        )
        peer = self.log_in()
        peer.feed(conflict)
        peer.lose()
        self.clock.advance(1)
        peer = self.endpoint.accept()
        peer.authenticate()
        peer.feed(features(BIND))
        (resource,) = re.findall("<resource>(.*)</resource>", peer.transport.value().decode())
        self.assertRegex(resource, "^bot-[0-9a-f]{8}$")
        peer.bind(f"xbot@example.org/{resource}")
        self.clock.advance(10_000)
        peer.feed(conflict)
        peer.lose()
        self.assertIs(self.adapter.connection.status.state, State.FAILED)
        self.assertIn("another program", str(self.gave_up[0]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def redirected(self, peer, host):
        """The server sends us elsewhere, and we go at once; gives the new peer, if we did."""
        before = len(self.endpoint.attempts)
        peer.feed(
            "<error xmlns='http://etherx.jabber.org/streams'><see-other-host"
            f" xmlns='urn:ietf:params:xml:ns:xmpp-streams'>{host}</see-other-host></error>"
        )
        peer.lose()
        return self.endpoint.accept() if len(self.endpoint.attempts) > before else None

    def test_redirects(self):
        """We go where the server sends us, at once, but no more than three times in a row."""
        self.adapter.start()
        peer = self.endpoint.accept()
        for number in range(3):
            peer.feed(HEADER)
            peer = self.redirected(peer, f"h{number}.example:99")
        self.assertEqual(
            [str(r and r.host) for r in self.endpoint.went[1:]],
            ["h0.example", "h1.example", "h2.example"],
        )
        peer.feed(HEADER)
        self.assertIsNone(self.redirected(peer, "h3.example"))
        self.assertIs(self.adapter.connection.status.state, State.WAITING)
        self.clock.advance(10)
        self.assertIsNone(self.endpoint.went[-1])

    def test_a_redirect_to_nowhere(self):
        """What is no host is not gone to; we come back home after the usual wait."""
        self.adapter.start()
        peer = self.endpoint.accept()
        peer.feed(HEADER)
        self.assertIsNone(self.redirected(peer, "a b"))
        self.clock.advance(10)
        self.assertIsNone(self.endpoint.went[-1])
