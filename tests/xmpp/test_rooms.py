"""All rooms of one session."""

from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.xmpp.harness import Peer, lowest, session
from xbot.jid import Jid
from xbot.settings import RoomSettings
from xbot.xmpp.problems import ConnectionProblem
from xbot.xmpp.room import State
from xbot.xmpp.rooms import Rooms

ONE, TWO = Jid.parse("one@muc.example.org"), Jid.parse("two@muc.example.org")
USER = "<x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x>"


class RoomsTests(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        settings = [RoomSettings(jid, "bot") for jid in (TWO, ONE)]
        self.rooms = Rooms(settings, self.clock, lowest)
        self.peer = session(self.rooms, clock=self.clock)

    def states(self):
        return {str(room.jid.local): room.state.value for room in self.rooms}

    def test_entered_in_order(self):
        """Each new session enters every room, in the ini's order."""
        self.assertEqual(
            [stanza["to"] for stanza in self.peer.stanzas()], [f"{TWO}/bot", f"{ONE}/bot"]
        )

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
        """Rooms can be joined and left at any time; a room joined anew is left first."""
        three = Jid.parse("three@muc.example.org")
        self.peer.sent()
        self.rooms.join(RoomSettings(three, "bot"))
        self.assertEqual(self.peer.stanza()["to"], f"{three}/bot")
        self.rooms.join(RoomSettings(three, "other"))
        left, entered = self.peer.stanzas()
        self.assertEqual((left["to"], left["type"]), (f"{three}/bot", "unavailable"))
        self.assertEqual(entered["to"], f"{three}/other")
        self.rooms.leave(three)
        self.rooms.leave(three)
        self.assertEqual(self.peer.stanza()["type"], "unavailable")
        self.assertIsNone(self.rooms.get(three))

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
