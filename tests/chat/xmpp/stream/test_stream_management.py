"""Stream management on the wire: counted, acknowledged, resumed, or returned."""

import re

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import (
    BIND,
    JID,
    PASSWORD,
    TLS_OPTIONS,
    FakeEndpoint,
    features,
    in_thread,
    lowest,
    parse_all,
)
from xbot.chat.xmpp.adapter import XmppAdapter
from xbot.chat.xmpp.deliveries import REFLECT_TIMEOUT
from xbot.chat.xmpp.rooms.room import State
from xbot.chat.xmpp.stream import stream_management
from xbot.chat.xmpp.stream.login import Account
from xbot.chat.xmpp.stream.poison import PROMPTLY
from xbot.chat.xmpp.stream.stream import TURN_BYTES
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.errors import ConnectionProblem, PingTimeout, ProtocolViolation
from xbot.config.settings import RoomSettings, Secret, XmppSettings
from xbot.engine.outbox import Outbox
from xbot.model.jid import Jid
from xbot.model.message import Message

ROOM = "room@muc.example.org"
NS = "urn:xmpp:sm:3"
SM = f"<sm xmlns='{NS}'/>"
NOW = 1_000_000_000.0  # 2001-09-09T01:46:40Z
SELF = "<x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x>"


def said(number, more=""):
    """Alice says something in the room."""
    return (
        f"<message type='groupchat' id='{number}' from='{ROOM}/alice'>"
        f"<body>{number}</body>{more}</message>"
    )


def resent(number, sender, stamp="2001-09-09T01:46:30Z"):
    """The same, sent again by the server."""
    return said(number, f"<delay xmlns='urn:xmpp:delay' from='{sender}' stamp='{stamp}'/>")


class ManagedCase(unittest.TestCase):
    """A bot in a room, on a server that manages its stream."""

    def setUp(self):
        self.clock = Clock()
        self.clock.advance(NOW)
        self.endpoint = FakeEndpoint(self.clock)
        self.heard, self.safe = [], None
        self.outbox = Outbox(lambda message: self.adapter.send(message))
        self.adapter = XmppAdapter(
            XmppSettings(JID),
            Account(JID, Secret(PASSWORD), TLS_OPTIONS),
            self.endpoint,
            (RoomSettings(Jid.parse(ROOM), "bot"),),
            self.got_message,
            self.outbox,
            lambda problem: self.fail(problem),
            clock=self.clock,
            wall_clock=self.clock.seconds,
            uniform=lowest,
            in_thread=in_thread,
        )
        # The room reflects each message before the server acknowledges it.
        self.acknowledged = self.adapter.managed._delivered
        self.adapter.managed._delivered = self.reflect
        self.adapter.start()

    def reflect(self, message):
        self.adapter.deliveries.got_reflected(ROOM, message.payload["id"])
        self.acknowledged(message)

    def got_message(self, message):
        self.heard.append(message)
        return self.safe

    def say(self, text):
        self.outbox.put(Message("", ROOM, text, {"type": "groupchat"}, room=ROOM))

    def log_in(self, enabled="<enabled xmlns='{}' id='s1' resume='true'/>", entered=True):
        """A new session, managed, with us in the room; nothing of it is unacknowledged."""
        peer = self.endpoint.accept()
        peer.authenticate()
        peer.feed(features(BIND + SM))
        peer.bind(str(JID))
        self.assertIn("<enable ", peer.sent())
        peer.feed(enabled.format(NS))
        if entered:
            self.enter(peer)
            self.acknowledge(peer, 3)  # roster, presence, join
            peer.sent()
        return peer

    def enter(self, peer):
        peer.feed(
            f"<presence from='{ROOM}/bot'>{SELF}</presence>"
            f"<message type='groupchat' from='{ROOM}'><subject/></message>"
        )

    def acknowledge(self, peer, h):
        peer.feed(f"<a xmlns='{NS}' h='{h}'/>")

    def ask(self, peer):
        """The count that we tell when asked."""
        peer.sent()
        peer.feed(f"<r xmlns='{NS}'/>")
        return self.told(peer)

    def told(self, peer):
        """The count that we told last, or None."""
        counts = re.findall(r"<a xmlns='urn:xmpp:sm:3' h='(\d+)'/>", peer.sent())
        return int(counts[-1]) if counts else None

    def come_back(self, peer, offer=SM):
        """The connection is cut and comes back up to the point where a session begins."""
        peer.lose(ConnectionLost())
        self.wait()
        peer = self.endpoint.accept()
        peer.authenticate()
        peer.feed(features(BIND + offer))
        return peer

    def wait(self):
        """Until the next try."""
        while self.endpoint.attempts[-1].called:
            self.clock.advance(1)

    def resumed(self, peer, h):
        """The server goes on with the session."""
        self.assertIn("<resume ", peer.sent())
        peer.feed(f"<resumed xmlns='{NS}' previd='s1' h='{h}'/>")

    def counted(self):
        """The count with which the server acknowledges all that is under way."""
        managed = self.adapter.managed
        return managed._session.outbound._acknowledged + managed.unacknowledged

    def all_sent(self, peer):
        """The texts of all messages that leave, in as many turns of the reactor as that takes."""
        found = []
        while some := peer.sent():
            found += [str(s.body) for s in parse_all(some) if s.name == "message"]
            self.clock.advance(0)
        return found

    def bodies(self, peer):
        """What we said since the last look, in order."""
        return [str(s.body) for s in parse_all(peer.sent()) if s.name == "message"]


class ManagedTests(ManagedCase):
    def test_window(self):
        """With enough under way messages wait, and leave as the server acknowledges others."""
        peer = self.log_in()
        for number in range(120):
            self.say(f"{number}")
        seen = self.all_sent(peer)
        self.assertEqual(len(seen), stream_management.WINDOW)
        while len(seen) < 120:
            before = len(seen)
            self.acknowledge(peer, self.counted() - 10)
            seen += self.all_sent(peer)
            self.assertLessEqual(self.adapter.managed.unacknowledged, stream_management.WINDOW)
            self.assertGreater(len(seen), before)
        self.assertEqual(seen, [f"{number}" for number in range(120)])

    def test_window_of_bytes(self):
        """Large messages are sent one by one; what is under way is never much."""
        peer = self.log_in()
        for _ in range(6):
            self.say("x" * 5000)
        sizes = []
        while waiting := len(self.outbox):
            sizes.append(len(self.all_sent(peer)))
            self.acknowledge(peer, self.counted())
            self.assertLess(len(self.outbox), waiting)
        self.assertEqual(sizes, [2, 2, 2])

    def test_paced(self):
        """Whole stanzas leave, about 2 KB in each turn of the reactor; nothing overtakes them."""
        peer = self.log_in()
        writes = []
        self.patch(peer.transport, "write", writes.append)
        for number in range(30):
            self.say(f"{number:04}" * 60)
        in_this_turn = sum(map(len, writes))
        self.assertLessEqual(in_this_turn, TURN_BYTES)
        writes.clear()
        self.clock.advance(0)
        self.assertGreater(len(writes), 2)
        for data in writes:
            self.assertLessEqual(len(data), TURN_BYTES)
            self.assertEqual(data.count(b"<message"), data.count(b"</message>"))

    def test_goodbye_behind_what_is_paced(self):
        """What waits for its turn is written before the stream is closed."""
        peer = self.log_in()
        for _ in range(20):
            self.say("x" * 300)
        peer.stream.end(ConnectionProblem("test"))
        text = peer.sent()
        self.assertEqual(text.count("<message"), 20)
        self.assertTrue(text.endswith("</stream:stream>"))

    def test_a_resumed_stream_that_is_dead(self):
        """A resumed stream on which nothing is acknowledged, and no ping answered, is given up."""
        peer = self.log_in()
        self.say("one")
        peer = self.come_back(peer)
        self.resumed(peer, 3)
        self.assertTrue(self.adapter.managed.can_resume)
        peer.stream.end(PingTimeout("no answer"), abort=True)
        peer.lose()
        self.assertFalse(self.adapter.managed.can_resume)
        self.assertEqual(len(self.outbox), 1)

    def test_counts_what_came(self):
        """Each stanza after <enabled/> counts, and nothing else does."""
        peer = self.log_in()
        self.assertEqual(self.ask(peer), 2)
        peer.feed(" " + said(1) + "<iq type='result' id='x'/><x xmlns='y'/>" + said(2))
        self.assertEqual(self.ask(peer), 5)

    def test_not_counted_before_it_is_safe(self):
        """A message that is not journalled yet holds the count, and is told as soon as it is."""
        peer = self.log_in()
        self.safe = Deferred()
        peer.feed(said(1))
        held, self.safe = self.safe, None
        peer.feed(said(2))
        self.assertEqual(self.ask(peer), 2)
        held.callback(None)
        self.assertEqual(self.told(peer), 4)

    def test_a_hold_that_fails_is_over_too(self):
        """Whatever becomes of a message, its stanza does not hold the count for ever."""
        peer = self.log_in()
        self.safe = Deferred()
        peer.feed(said(1))
        self.safe.addErrback(lambda _: None)
        self.safe.errback(ZeroDivisionError())
        self.assertEqual(self.ask(peer), 3)

    def test_delivered_when_acknowledged(self):
        """An answer stays in the outbox until the server has it; we ask, once at a time."""
        peer = self.log_in()
        self.say("a")
        self.say("b")
        self.assertEqual(peer.sent().count("<r "), 1)
        self.assertEqual(len(self.outbox), 2)
        self.acknowledge(peer, 4)
        self.assertEqual(len(self.outbox), 1)
        self.assertEqual(peer.sent().count("<r "), 1)
        self.acknowledge(peer, 5)
        self.assertEqual((len(self.outbox), peer.sent()), (0, ""))

    def test_impossible_acknowledgements(self):
        """A count that cannot be ends the stream, and its session with it."""
        for h in ("9", "-1", "x", "", "4294967296"):
            peer = self.log_in()
            self.acknowledge(peer, h)
            self.assertIsInstance(peer.stream.problem, ProtocolViolation)
            peer.lose()
            self.adapter.managed.forget()
            self.wait()

    def test_resumed(self):
        """After a cut the session goes on: the room is kept, and what the server lacks is sent."""
        peer = self.log_in()
        for text in "ab":
            self.say(text)
        peer.feed(said(1))
        peer = self.come_back(peer)
        (resume,) = parse_all(peer.sent())
        self.assertEqual((resume["previd"], resume["h"]), ("s1", "3"))
        self.say("c")
        peer.feed(f"<resumed xmlns='{NS}' previd='s1' h='4'/>")
        self.assertTrue(peer.stream.is_resumed)
        self.assertEqual(self.bodies(peer), ["b", "c"])
        room = self.adapter.rooms.get(Jid.parse(ROOM))
        self.assertTrue(room.caught_up)
        peer.feed(said(2))
        self.assertEqual([message.body for message in self.heard], ["1", "2"])
        self.acknowledge(peer, 6)
        self.assertEqual(len(self.outbox), 0)
        self.assertEqual(self.ask(peer), 4)

    def test_where_the_session_is_kept(self):
        """The server's location is tried first when the session is to be resumed, and once."""
        enabled = "<enabled xmlns='{}' id='s1' resume='true' location='kept.example:5299'/>"
        peer = self.log_in(enabled)
        peer.lose()
        self.wait_for_attempt(2)
        self.assertEqual(
            (self.endpoint.went[1].host, self.endpoint.went[1].port), ("kept.example", 5299)
        )
        self.endpoint.refuse(ConnectionProblem("nobody there"))
        self.wait_for_attempt(3)
        self.assertIsNone(self.endpoint.went[2])

    def wait_for_attempt(self, number):
        while len(self.endpoint.attempts) < number:
            self.clock.advance(1)

    def test_resumed_many_times(self):
        """A session survives any number of cuts, also before anything new was said."""
        peer = self.log_in()
        self.say("a")
        self.clock.advance(PROMPTLY + 1)
        for _ in range(5):
            peer = self.come_back(peer)
            self.resumed(peer, 3)
            self.assertEqual(self.bodies(peer), ["a"])
            # An end that comes so late has nothing to do with what was said.
            self.clock.advance(PROMPTLY + 1)
        self.acknowledge(peer, 4)
        self.assertEqual(len(self.outbox), 0)

    def test_handlers_live_on(self):
        """On the resumed stream pings are asked and answered, and presence is heard."""
        peer = self.come_back(self.log_in())
        self.resumed(peer, 3)
        peer.sent()
        peer.feed("<iq type='get' id='1' from='a@b/c'><ping xmlns='urn:xmpp:ping'/></iq>")
        self.assertIn("type='result'", peer.sent())
        self.clock.advance(30)
        self.assertIn("urn:xmpp:ping", peer.sent())
        peer.feed(f"<presence type='unavailable' from='{ROOM}/bot'>{SELF}</presence>")
        self.assertEqual(self.adapter.rooms.get(Jid.parse(ROOM)).state, State.ABSENT)

    def test_not_resumed(self):
        """When the server lost the session: a new one, rooms joined again, then what was left."""
        peer = self.log_in()
        for text in "abc":
            self.say(text)
        peer = self.come_back(peer)
        peer.sent()
        peer.feed(
            f"<failed xmlns='{NS}' h='4'>"
            "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
        )
        peer.bind(str(JID))
        peer.feed(f"<enabled xmlns='{NS}' id='s2' resume='true'/>")
        sent = parse_all(peer.sent())
        self.assertNotIn("message", [stanza.name for stanza in sent])
        self.assertIn(f"{ROOM}/bot", [stanza.getAttribute("to") for stanza in sent])
        self.enter(peer)
        self.assertEqual(self.bodies(peer), ["b", "c"])
        self.assertEqual(len(self.outbox), 2)

    def test_no_longer_offered(self):
        """A server that no longer manages streams gets a new session, and what was left."""
        peer = self.log_in()
        self.say("a")
        peer = self.come_back(peer, offer="")
        peer.bind(str(JID))
        self.enter(peer)
        self.assertEqual(self.bodies(peer), ["a"])
        # Without acknowledgements and a reflection, what is written counts as said in the end.
        self.clock.advance(REFLECT_TIMEOUT)
        self.assertEqual(len(self.outbox), 0)

    def test_the_same_id_again(self):
        """What is sent again on a new session keeps its id, so that others can tell."""
        peer = self.log_in()
        self.say("a")
        first = parse_all(peer.sent())[0]
        peer = self.come_back(peer, offer="")
        peer.bind(str(JID))
        self.enter(peer)
        (again,) = (s for s in parse_all(peer.sent()) if s.name == "message")
        self.assertEqual(first["id"], again["id"])

    def test_presence_and_questions_are_not_sent_again(self):
        """On a new session no presence and no IQ of the old one is repeated."""
        peer = self.log_in(entered=False)
        old = {stanza.getAttribute("id") for stanza in parse_all(peer.sent())}
        peer = self.come_back(peer, offer="")
        peer.bind(str(JID))
        new = {stanza.getAttribute("id") for stanza in parse_all(peer.sent())}
        self.assertEqual(old & new, {None})  # the presences, which are new

    def test_not_resumable(self):
        """A session that the server does not keep is not asked for again."""
        peer = self.log_in("<enabled xmlns='{}'/>")
        self.say("a")
        peer = self.come_back(peer)
        self.assertIn("<bind ", peer.sent())
        self.assertEqual(len(self.outbox), 1)

    def test_refused(self):
        """A server that refuses to manage the stream is used without."""
        peer = self.log_in("<failed xmlns='{}'/>", entered=False)
        self.enter(peer)
        self.assertFalse(self.adapter.managed.is_active)
        self.say("a")
        self.assertEqual(self.bodies(peer), ["a"])
        self.clock.advance(REFLECT_TIMEOUT)
        self.assertEqual(len(self.outbox), 0)

    def test_lies_at_resumption(self):
        """Another session, a count that cannot be, or another answer ends the stream."""
        for answer in (
            f"<resumed xmlns='{NS}' previd='other' h='3'/>",
            f"<resumed xmlns='{NS}' previd='s1' h='99'/>",
            f"<resumed xmlns='{NS}' previd='s1'/>",
            "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        ):
            peer = self.come_back(self.log_in())
            peer.feed(answer)
            self.assertIsInstance(peer.stream.problem, ProtocolViolation, answer)
            peer.lose()
            self.adapter.managed.forget()
            self.wait()

    def test_sent_again_is_live(self):
        """What the server sends again after a resumption is obeyed: both servers' ways."""
        for number, sender in enumerate((str(JID.bare), JID.domain)):
            self.setUp()
            peer = self.come_back(self.log_in())
            self.resumed(peer, 3)
            peer.feed(resent(number, sender))
            self.assertEqual([message.delayed for message in self.heard], [False], sender)

    def test_sent_again_is_past(self):
        """It is past when too old, from anyone else, twice delayed, or on a new session."""
        peer = self.come_back(self.log_in())
        self.resumed(peer, 3)
        own = JID.domain
        for stanza in (
            resent(1, own, "2001-09-09T01:44:30Z"),
            resent(2, own, "2001-09-09T01:47:30Z"),
            resent(3, own, "garbage"),
            resent(4, own, "2001-99-99T01:46:30Z"),
            resent(5, own, "9" * 45_000),
            resent(6, own, ""),
            resent(7, ROOM),
            resent(8, "mallory@example.org"),
            resent(9, own).replace("</message>", "<x xmlns='jabber:x:delay'/></message>"),
        ):
            peer.feed(stanza)
        self.assertEqual([message.delayed for message in self.heard], [True] * 9)
        # What our server kept too long is told as missed. What others claim is history.
        told = [message.missed for message in self.heard]
        self.assertEqual(told, [True] * 6 + [False] * 2 + [True])
        self.heard.clear()
        peer = self.come_back(peer, offer="")
        peer.bind(str(JID))
        self.enter(peer)
        peer.feed(resent(1, own))
        self.assertEqual([message.delayed for message in self.heard], [True])

    def test_sent_again_in_a_room_that_was_joined_anew(self):
        """After a rejoin on the resumed stream, what the room repeats is history."""
        peer = self.come_back(self.log_in())
        self.resumed(peer, 3)
        peer.feed(f"<presence type='unavailable' from='{ROOM}/bot'>{SELF}</presence>")
        self.clock.advance(10)
        peer.feed(f"<presence from='{ROOM}/bot'>{SELF}</presence>" + resent(1, JID.domain))
        self.assertEqual([message.delayed for message in self.heard], [True])
        self.assertFalse(self.heard[0].missed)

    def test_back_pressure(self):
        """A server that does not read gets nothing more; what waits leaves once it reads."""
        peer = self.log_in()
        peer.transport.producer.pauseProducing()
        self.say("a")
        self.assertEqual(peer.sent(), "")
        peer.transport.producer.resumeProducing()
        self.assertEqual(self.bodies(peer), ["a"])

    def test_counts_what_is_dropped(self):
        """A stanza that is dropped was sent all the same: else the last ones come again."""
        peer = self.log_in()
        for stanza in said(1, "<x xmlns='a b'/>"), said(2, "<a/>" * 9000), said(3):
            peer.feed(stanza)
        self.assertEqual((peer.stream.dropped, len(self.heard)), (2, 1))
        self.assertEqual(self.ask(peer), 5)

    def test_asks_about_answers(self):
        """What we answer others is asked about too, so that it does not pile up for ever."""
        peer = self.log_in()
        request = f"<iq type='get' from='a@example.org/x' id='1'><ping xmlns='{ns.PING}'/></iq>"
        for _ in range(stream_management.ASK_AFTER):
            self.assertNotIn("<r ", peer.sent())
            peer.feed(request)
        self.assertIn("<r ", peer.sent())
        self.acknowledge(peer, 3 + stream_management.ASK_AFTER)
        self.assertEqual(self.adapter.managed.unacknowledged, 0)

    def test_nothing_is_acknowledged(self):
        """A server that acknowledges nothing is left at a bound, of stanzas and of bytes."""
        for name, limit in ("MAX_UNACKNOWLEDGED", 100), ("MAX_UNACKNOWLEDGED_BYTES", 20_000):
            with self.subTest(name):
                self.patch(stream_management, name, limit)
                self.setUp()
                peer = self.log_in()
                self.say("a")
                for _ in range(limit):
                    peer.feed("<iq type='get' from='a@example.org/x' id='1'/>")
                self.assertIn("acknowledges nothing", str(peer.stream.problem))
                self.assertLessEqual(self.adapter.managed.unacknowledged, 201)
                peer = self.come_back(peer)
                self.resumed(peer, 3)
                self.assertEqual(self.bodies(peer), ["a"])

    def test_goodbye(self):
        """At the end the server learns what we have handled, and nothing is left to resume."""
        peer = self.log_in()
        peer.feed(said(1))
        self.adapter.stop()
        self.assertRegex(
            peer.sent(), "<presence type='unavailable'/><a [^>]*h='3'/></stream:stream>"
        )
        peer.lose()
        self.assertFalse(self.adapter.managed.can_resume)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_goodbye_while_the_link_is_down(self):
        """Nothing of a session that waits to be resumed is left when we stop."""
        self.log_in().lose()
        self.successResultOf(self.adapter.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def leave_when_delivered(self):
        """What the service does at SIGTERM: it goes once the outbox is empty."""
        self.outbox.drained().addCallback(lambda _: self.adapter.stop())

    def test_goodbye_at_the_last_acknowledgement(self):
        """An acknowledgement that lets us go ends in a clean goodbye."""
        peer = self.log_in()
        self.say("a")
        self.leave_when_delivered()
        peer.sent()
        self.acknowledge(peer, 4)
        self.assertRegex(peer.sent(), "^<presence type='unavailable'/>.*</stream:stream>$")

    def test_goodbye_at_a_resumption(self):
        """So does a resumption that tells that all had arrived."""
        peer = self.log_in()
        self.say("a")
        self.leave_when_delivered()
        peer = self.come_back(peer)
        self.resumed(peer, 4)
        self.assertTrue(peer.sent().endswith("</stream:stream>"))
        peer.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])
