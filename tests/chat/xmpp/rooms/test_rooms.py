"""The rooms of one session."""

import time

from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import JID, Peer, lowest, session
from xbot.chat.xmpp.rooms.join_queue import FIRST_OCCUPANTS, MAX_OCCUPANTS, WINDOW
from xbot.chat.xmpp.rooms.room import JOIN_TIMEOUT, State
from xbot.chat.xmpp.rooms.rooms import Rooms
from xbot.chat.xmpp.stream.iq import Iq
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.errors import ConnectionProblem
from xbot.config.settings import RoomSettings, Secret
from xbot.model.jid import Jid

ONE, TWO = Jid.parse("one@muc.example.org"), Jid.parse("two@muc.example.org")
#: Joins of one service that leave at once in the beginning.
FIRST = MAX_OCCUPANTS // FIRST_OCCUPANTS
USER = "<x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x>"


class RoomsTests(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        settings = [RoomSettings(jid, "bot") for jid in (TWO, ONE)]
        self.rooms = Rooms(settings, iq := Iq(lambda: JID, self.clock), self.clock, lowest)
        self.peer = session(iq, self.rooms, clock=self.clock)

    def states(self):
        return {str(room.jid.local): room.state.value for room in self.rooms}

    def test_entered_in_order(self):
        """Each new session enters every room, in the ini's order."""
        self.assertEqual(
            [stanza["to"] for stanza in self.peer.stanzas()], [f"{TWO}/bot", f"{ONE}/bot"]
        )

    def test_a_password_without_end(self):
        """A join that is larger than the server takes is not sent; the other rooms do not mind."""
        settings = [RoomSettings(TWO, "bot", Secret("x" * 20_000)), RoomSettings(ONE, "bot")]
        rooms = Rooms(settings, iq := Iq(lambda: JID, self.clock), self.clock, lowest)
        peer = session(iq, rooms, clock=self.clock)
        self.assertEqual([stanza["to"] for stanza in peer.stanzas()], [f"{ONE}/bot"])
        self.assertIsNone(peer.stream.problem)
        self.clock.advance(JOIN_TIMEOUT)
        self.assertIn("no answer", rooms.get(TWO).reason)

    def test_presence_reaches_its_room(self):
        """A presence reaches the room that it is from, however that is written, and no other."""
        for sender in (
            "three@muc.example.org/bot", "one@muc.example.net/bot", "muc.example.org",
            "", "@", "one@muc.example.org/&#10;", "x" * 200_000,
        ):  # fmt: skip
            self.peer.feed(f"<presence from='{sender}'>{USER}</presence>")
        self.peer.feed(f"<presence>{USER}</presence>")
        self.peer.feed(f"<presence type='subscribe' from='{ONE}/bot'>{USER}</presence>")
        self.assertEqual(self.states(), {"two": "joining", "one": "joining"})
        self.peer.feed(f"<presence from='ONE@MUC.example.org/bot'>{USER}</presence>")
        self.assertEqual(self.states(), {"two": "joining", "one": "joined"})
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_connection_lost(self):
        """The end of the session empties every room, and a new one enters them again."""
        self.peer.feed(f"<presence from='{ONE}/bot'>{USER}</presence>")
        self.peer.lose()
        self.assertEqual(self.states(), {"two": "absent", "one": "absent"})
        self.assertEqual(self.clock.getDelayedCalls(), [])
        peer = Peer(self.peer.stream.factory, self.clock)
        peer.log_in()
        self.assertEqual(len(peer.stanzas()), 2)
        self.assertEqual(self.states(), {"two": "joining", "one": "joining"})

    def test_join_and_leave(self):
        """Rooms can be joined and left at any time; one that is joined anew goes on as it wants."""
        three = Jid.parse("three@muc.example.org")
        self.peer.sent()
        self.rooms.join(RoomSettings(three, "bot"))
        self.assertEqual(self.peer.stanza()["to"], f"{three}/bot")
        self.peer.feed(f"<presence from='{three}/bot'>{USER}</presence>")
        self.rooms.join(RoomSettings(three, "other"))
        self.assertEqual(self.peer.stanza()["to"], f"{three}/other")
        self.peer.feed(f"<presence from='{three}/other'>{USER}</presence>")
        self.rooms.leave(three)
        self.rooms.leave(three)
        left = self.peer.stanza()
        self.assertEqual((left["to"], left["type"]), (f"{three}/other", "unavailable"))
        self.assertIsNone(self.rooms.get(three))
        self.assertIs(self.rooms.at(str(three)).state, State.LEAVING)
        self.peer.feed(f"<presence type='unavailable' from='{three}/other'>{USER}</presence>")
        self.assertIsNone(self.rooms.at(str(three)))
        self.assertEqual(self.states(), {"two": "joining", "one": "joining"})

    def test_wanted_again_while_leaving(self):
        """A room that we are about to leave is one room, however often we change our mind."""
        self.peer.feed(f"<presence from='{ONE}/bot'>{USER}</presence>")
        self.peer.sent()
        for _ in range(3):
            self.rooms.leave(ONE)
            self.rooms.join(RoomSettings(ONE, "bot"))
        self.assertEqual([s.getAttribute("type") for s in self.peer.stanzas()], ["unavailable"])
        self.peer.feed(f"<presence type='unavailable' from='{ONE}/bot'>{USER}</presence>")
        self.assertIsNone(self.peer.stanza().getAttribute("type"))
        self.assertEqual(self.states(), {"two": "joining", "one": "joining"})

    def test_without_a_session(self):
        """A room joined without a session is entered with the next one."""
        self.peer.lose()
        three = Jid.parse("three@muc.example.org")
        self.rooms.join(RoomSettings(three, "bot"))
        self.assertIs(self.rooms.get(three).state, State.ABSENT)
        peer = Peer(self.peer.stream.factory, self.clock)
        self.assertIs(self.rooms.get(three).state, State.ABSENT)
        peer.log_in()
        self.assertIs(self.rooms.get(three).state, State.JOINING)

    def test_while_closing(self):
        """A room that would speak while the stream closes is no fault."""
        self.peer.sent()
        self.peer.stream.end(ConnectionProblem("why"))
        self.rooms.leave(ONE)
        self.rooms.join(RoomSettings(ONE, "bot"))
        self.peer.lose()
        self.assertEqual(self.peer.sent(), "</stream:stream>")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_our_nick_elsewhere(self):
        """A presence with our nick, and status 110, from another room changes no room of ours."""
        for sender in f"{ONE.local}x@{ONE.domain}/bot", f"{ONE}@x/bot", f"{ONE.domain}/bot", "bot":
            for kind in "", "type='unavailable'", "type='error'":
                self.peer.feed(f"<presence {kind} from='{sender}'>{USER}</presence>")
        self.assertEqual(self.states(), {"two": "joining", "one": "joining"})

    def test_messages_are_life(self):
        """Whatever a room lets us hear revives it; what bounces makes us ask."""
        self.peer.feed(f"<presence from='{ONE}/bot'>{USER}</presence>")
        self.peer.sent()
        for _ in range(5):
            self.clock.advance(200)
            self.peer.feed(f"<message type='groupchat' from='{ONE}/alice'/>")
        self.assertNotIn("urn:xmpp:ping", self.peer.sent())
        self.peer.feed(f"<message type='error' from='{ONE}'><body>x</body></message>")
        self.clock.advance(5)
        (ping,) = [stanza for stanza in self.peer.stanzas() if stanza.name == "iq"]
        self.assertEqual((ping["to"], ping.firstChildElement().uri), (f"{ONE}/bot", ns.PING))
        self.clock.advance(30)
        self.assertEqual(self.states()["one"], "stale")
        self.peer.feed(f"<message type='chat' from='{ONE}/alice'/>")
        self.assertEqual(self.states()["one"], "joined")

    def test_lost_and_found(self):
        """A service that forgot us, and says so when asked, has us back at once."""
        self.peer.feed(f"<presence from='{ONE}/bot'>{USER}</presence>")
        self.clock.advance(300)
        self.peer.feed(
            f"<iq type='error' id='{self.peer.asked()}' from='{ONE}/bot'><error type='cancel'>"
            "<not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        )
        self.assertEqual(self.peer.stanza()["to"], f"{ONE}/bot")
        self.assertEqual(self.states()["one"], "joining")


class PaceTests(unittest.TestCase):
    def make(self, jids):
        self.clock = Clock()
        settings = [RoomSettings(Jid.parse(jid), "bot") for jid in jids]
        self.rooms = Rooms(settings, iq := Iq(lambda: JID, self.clock), self.clock, lowest)
        self.peer = session(iq, self.rooms, clock=self.clock)

    def wishes(self):
        return [stanza["to"].partition("/")[0] for stanza in self.peer.stanzas()]

    def test_a_window(self):
        """At most so many joins are under way, in the ini's order, whatever their fate is."""
        jids = [f"r{number}@muc.example.org" for number in range(4 * WINDOW)]
        self.make(jids)
        asked = self.wishes()
        self.assertEqual(asked, jids[:FIRST])
        fates = (
            "<presence from='{}/bot'>" + USER + "</presence>",
            "<presence type='error' from='{}'><error><forbidden"
            " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>",
        )
        for number in range(WINDOW):
            self.peer.feed(fates[number % 2].format(asked[number]))
            asked += self.wishes()
            # Each answer lets one more go at a time, or more while nothing is known.
            self.assertLessEqual(len(asked), WINDOW + 2 * (number + 1))
        self.assertEqual(len(asked), 3 * WINDOW)
        self.clock.advance(30)
        asked += self.wishes()
        self.assertEqual(asked, jids)

    def test_crowded_rooms(self):
        """Crowded rooms are joined one after the other, also when a session was lost halfway."""
        jids = [f"r{number}@muc.example.org" for number in range(10)]
        self.make(jids)
        crowd = "".join(
            f"<presence from='{{0}}/n{number}'>{USER.replace('110', '100')}</presence>"
            for number in range(MAX_OCCUPANTS)
        )
        asked = self.wishes()
        for number in range(4):
            self.peer.feed(crowd.format(asked[number]))
            # The first ones were under way before it was known.
            self.peer.feed(f"<presence from='{asked[number]}/bot'>{USER}</presence>")
            asked += self.wishes()
            self.assertEqual(len(asked), max(FIRST, number + 2))
        self.peer.feed(crowd.format(asked[4]))
        self.peer.lose()
        self.peer = Peer(self.peer.stream.factory, self.clock)
        self.peer.log_in()
        for number in range(5):
            self.assertEqual(self.wishes(), [jids[number]])
            self.peer.feed(f"<presence from='{jids[number]}/bot'>{USER}</presence>")

    def test_a_dead_service(self):
        """One service that does not answer holds up no other."""
        dead = [f"r{number}@dead.example.org" for number in range(2 * WINDOW)]
        self.make([*dead, "a@muc.example.org", "b@muc.example.org"])
        self.assertEqual(self.wishes(), [*dead[:FIRST], "a@muc.example.org", "b@muc.example.org"])

    def test_the_end_of_the_session(self):
        """With the session, all who wait are forgotten; the next one begins anew, in order."""
        jids = [f"r{number}@muc.example.org" for number in range(2 * WINDOW)]
        self.make(jids)
        self.peer.sent()
        self.peer.lose()
        self.assertEqual(self.peer.sent(), "")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.peer = Peer(self.peer.stream.factory, self.clock)
        self.peer.log_in()
        self.assertEqual(self.wishes(), jids[:FIRST])

    def test_removed_from_all(self):
        """A service that shuts down is not overrun by all the rooms that come back."""
        jids = [f"r{number}@muc.example.org" for number in range(2 * WINDOW)]
        self.make(jids)
        for jid in jids:
            self.peer.feed(f"<presence from='{jid}/bot'>{USER}</presence>")
        self.peer.sent()
        gone = USER.replace("<status", "<status code='332'/><status")
        for jid in jids:
            self.peer.feed(f"<presence type='unavailable' from='{jid}/bot'>{gone}</presence>")
        self.clock.advance(10)
        self.assertEqual(len(self.wishes()), WINDOW)

    def test_a_thousand(self):
        """A thousand rooms take no quadratic work."""
        jids = [f"r{number}@muc.example.org" for number in range(1000)]
        self.make(jids)
        began = time.process_time()
        asked = []
        while len(asked) < len(jids):
            new = self.wishes()
            asked += new
            for jid in new:
                self.peer.feed(f"<presence from='{jid}/bot'>{USER}</presence>")
        self.assertEqual(asked, jids)
        self.assertEqual({room.state for room in self.rooms}, {State.JOINED})
        self.assertLess(time.process_time() - began, 10)


def feed(peer, text, piece=16384):
    """As much as comes in one read at a time."""
    for start in range(0, len(text), piece):
        peer.feed(text[start : start + piece])


class CrowdTests(unittest.TestCase):
    def test_ten_thousand_occupants(self):
        """Ten thousand occupants are known one by one, in bounded time."""
        clock = Clock()
        rooms = Rooms([RoomSettings(ONE, "bot")], iq := Iq(lambda: JID, clock), clock, lowest)
        peer = session(iq, rooms, clock=clock)
        item = (
            "<presence from='{}/n{}'><x xmlns='http://jabber.org/protocol/muc#user'>"
            "<item role='participant' affiliation='none' jid='p{}@example.org/x'/></x></presence>"
        )
        text = "".join(item.format(ONE, number, number) for number in range(10_000))
        began = time.process_time()
        feed(peer, text)
        peer.feed(f"<presence from='{ONE}/bot'>{USER}</presence>")
        self.assertLess(time.process_time() - began, 20)
        room = rooms.get(ONE)
        self.assertEqual(len(room.occupants), 10_001)
        self.assertEqual(room.occupants.get("n9999").identity, "p9999@example.org")
        feed(peer, text.replace("<presence ", "<presence type='unavailable' "))
        self.assertEqual(list(room.occupants), ["bot"])
