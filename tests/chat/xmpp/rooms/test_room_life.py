"""A room's self-ping, leaving, resumption, and hostile services."""

from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from tests.chat.xmpp.harness import parse
from tests.chat.xmpp.rooms.test_room import ITEM, ROOM, SELF, RoomTestCase
from xbot.chat.xmpp.rooms.room import (
    FIRST_RETRY,
    JOIN_LONGEST,
    JOIN_TIMEOUT,
    LEAVE_TIMEOUT,
    SUBJECT_TIMEOUT,
    State,
)
from xbot.chat.xmpp.rooms.self_ping import FIRST_BACKOFF, RETRY_DELAY
from xbot.chat.xmpp.stanzas.presence import read_presence
from xbot.chat.xmpp.stream.iq import IqRefused, IqTimeout
from xbot.chat.xmpp.wire.nodes import node_of

SILENCE = 300.0


class StaleTests(RoomTestCase):
    def setUp(self):
        super().setUp()
        self.join()
        self.room.got_subject()
        self.presence("alice", ITEM.format("alice"))
        self.clock.advance(SILENCE)
        self.assertEqual(self.pinged, [f"{ROOM}/bot"])
        self.sent.clear()

    def fail_with(self, problem):
        self.answers[-1].errback(Failure(problem))

    def test_still_inside(self):
        """A good answer changes nothing."""
        self.answers[-1].callback(None)
        self.assertIs(self.room.state, State.JOINED)
        self.assertEqual(len(self.joined), 1)

    def test_lost(self):
        """A room that does not know us any more is entered anew, at once."""
        self.fail_with(IqRefused("not-acceptable"))
        self.assertIs(self.room.state, State.JOINING)
        self.assertEqual(self.sent[-1]["to"], f"{ROOM}/bot")
        self.assertFalse(self.room.caught_up)
        self.assertEqual(len(self.room.occupants), 0)
        self.presence("bot", SELF)
        self.assertIs(self.room.state, State.JOINED)
        self.assertEqual(len(self.joined), 2)

    def test_stale(self):
        """A service that does not answer makes the room stale: seen, asked again, not left."""
        self.fail_with(IqTimeout("no answer"))
        status = self.room.status
        self.assertEqual(
            (status.state, status.since, status.next_try),
            (State.STALE, SILENCE, SILENCE + FIRST_BACKOFF),
        )
        self.assertIn("no answer", status.reason)
        self.assertTrue(self.room.caught_up)
        self.assertEqual(self.identity("alice"), "alice@example.org")
        self.clock.advance(FIRST_BACKOFF)
        self.fail_with(IqRefused("remote-server-timeout"))
        self.assertIs(self.room.state, State.STALE)
        self.assertEqual((self.room.since, self.sent), (SILENCE, []))
        self.clock.advance(FIRST_BACKOFF * 2)
        self.answers[-1].callback(None)
        self.assertIs(self.room.state, State.JOINED)
        self.assertEqual(len(self.joined), 2)
        self.assertTrue(self.room.caught_up)

    def test_stale_until_it_speaks(self):
        """A message or a presence ends the staleness; an error does not."""
        for revive in (
            lambda: self.room.heard(),
            lambda: self.presence("alice", ITEM.format("alice")),
            lambda: self.gone("alice"),
        ):
            self.setUp()
            self.fail_with(IqTimeout("no answer"))
            self.refuse("remote-server-not-found")
            self.room.got_bounce()
            self.assertIs(self.room.state, State.STALE)
            revive()
            self.assertIs(self.room.state, State.JOINED)
            self.assertTrue(self.room.caught_up)

    def test_stale_then_lost(self):
        """A stale room whose service comes back without us is entered anew."""
        self.fail_with(IqTimeout("no answer"))
        self.clock.advance(FIRST_BACKOFF)
        self.fail_with(IqRefused("not-acceptable"))
        self.assertIs(self.room.state, State.JOINING)

    def test_stale_then_removed(self):
        """What ends a stay ends it while stale too."""
        self.fail_with(IqTimeout("no answer"))
        self.removed("307")
        self.assertIs(self.room.state, State.ABSENT)
        self.assertEqual(self.wait(), FIRST_RETRY)

    def test_bounced(self):
        """What comes back with an error makes us ask soon."""
        self.answers[-1].callback(None)
        self.room.got_bounce()
        self.clock.advance(RETRY_DELAY)
        self.assertEqual(len(self.pinged), 2)

    def test_session_lost(self):
        """With the session go the question, every timer and the staleness."""
        self.room.session_lost()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(self.answers[-1])
        self.setUp()
        self.fail_with(IqTimeout("no answer"))
        self.room.session_lost()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIs(self.room.state, State.ABSENT)


class StatusTests(RoomTestCase):
    def test_status(self):
        """State, since when, why, and what is next can be read at any time."""
        self.clock.advance(10)
        self.assertEqual(self.room.status.reason, "not joined yet")
        self.join()
        self.clock.advance(SUBJECT_TIMEOUT)
        self.assertEqual((self.room.status.since, self.room.status.next_try), (10, None))
        self.removed("307", more="<item><reason>spam</reason></item>")
        status = self.room.status
        self.assertEqual(
            (status.state, status.since, status.reason, status.next_try),
            (State.ABSENT, 15, "we were kicked (spam)", 15 + FIRST_RETRY),
        )


class SlowTests(RoomTestCase):
    def test_a_large_room(self):
        """A room that still tells us who is there is waited for, but not for ever."""
        self.room.enter()
        waited = 0
        while self.room.state is State.JOINING:
            self.presence("alice", ITEM.format("alice"))
            self.clock.advance(JOIN_TIMEOUT - 1)
            waited += JOIN_TIMEOUT - 1
        self.assertGreater(waited, JOIN_LONGEST)
        self.assertLess(waited, JOIN_LONGEST + 2 * JOIN_TIMEOUT)


class LeavingTests(RoomTestCase):
    def test_answered(self):
        """We are out once the room says so; until then nothing there is heard as the present."""
        self.join()
        self.room.got_subject()
        self.room.leave()
        self.assertIs(self.room.state, State.LEAVING)
        self.assertFalse(self.room.caught_up)
        self.presence("alice", ITEM.format("alice"))
        self.presence("bot", SELF)
        self.gone("alice")
        self.assertEqual((self.left, len(self.room.occupants)), ([], 0))
        self.room.leave()
        self.assertEqual(sum(s.getAttribute("type") == "unavailable" for s in self.sent), 1)
        self.gone("bot", SELF)
        self.assertEqual(self.left, [self.room])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unanswered(self):
        """A room that says nothing, or an error, is left all the same."""
        self.join()
        self.room.leave()
        self.assertEqual(self.wait(), LEAVE_TIMEOUT)
        self.assertEqual(self.left, [self.room])
        self.setUp()
        self.join()
        self.room.leave()
        self.refuse("item-not-found")
        self.assertEqual(self.left, [self.room])
        self.assertIs(self.room.state, State.ABSENT)

    def test_a_late_welcome(self):
        """A room that may let us in late is told goodbye too."""
        self.room.enter()
        self.clock.advance(JOIN_TIMEOUT)
        self.room.leave()
        self.assertEqual(self.sent[-1]["type"], "unavailable")
        self.presence("bot", SELF)
        self.assertIs(self.room.state, State.LEAVING)

    def test_session_lost(self):
        """The end of the session is the end of leaving."""
        self.join()
        self.room.leave()
        self.room.session_lost()
        self.assertEqual(self.left, [self.room])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class StreamDownTests(RoomTestCase):
    """The stream is down, and the session may be resumed."""

    def come_back(self):
        self.sent.clear()
        self.connected = True
        self.room.resumed()
        self.clock.advance(5)

    def test_joining(self):
        """An answer that could not come is waited for after the resumption."""
        self.room.enter()
        self.connected = False
        self.clock.advance(JOIN_TIMEOUT)
        self.assertIs(self.room.state, State.JOINING)
        self.connected = True
        self.room.resumed()
        self.presence("bot", SELF)
        self.assertIs(self.room.state, State.JOINED)

    def test_who_is_there(self):
        """Who was there is so after the resumption, and those who left meanwhile are told then."""
        self.join()
        for name in "alice", "bob":
            self.presence(name, ITEM.format(name))
        self.connected = False
        self.clock.advance(100)
        self.come_back()
        self.gone("bob")
        self.assertEqual(self.identity("alice"), "alice@example.org")
        self.assertEqual(list(self.room.occupants), ["bot", "alice"])
        # Another session knows only whom it is told of.
        self.room.session_lost()
        self.join()
        self.assertEqual(list(self.room.occupants), ["bot"])

    def test_history(self):
        """What could not come is not taken for an end of the history."""
        self.join()
        self.connected = False
        self.clock.advance(SUBJECT_TIMEOUT)
        self.assertFalse(self.room.caught_up)
        self.come_back()
        self.assertTrue(self.room.caught_up)

    def test_wishes(self):
        """Who is to enter, come back or leave meanwhile does so after the resumption."""
        self.connected = False
        self.room.enter()
        self.clock.advance(1000)
        self.assertEqual(self.sent, [])
        self.come_back()
        self.assertIs(self.room.state, State.JOINING)
        self.presence("bot", SELF)
        self.removed("307")
        self.connected = False
        self.clock.advance(1000)
        self.assertIs(self.room.state, State.ABSENT)
        self.come_back()
        self.assertIs(self.room.state, State.JOINING)
        self.presence("bot", SELF)
        self.connected = False
        self.room.leave()
        self.clock.advance(1000)
        self.assertIs(self.room.state, State.LEAVING)
        self.come_back()
        self.assertEqual([stanza["type"] for stanza in self.sent], ["unavailable"])


class HostileTests(RoomTestCase):
    """Stanzas that an honest service never sends."""

    PRESENCES = (
        "<presence/>",
        "<presence type=''/>",
        "<presence type='unavailable'/>",
        "<presence><status xml:lang='en'/></presence>",
        "<presence><x xmlns='{muc}'/></presence>",
        "<presence><x xmlns='{muc}'><status/></x></presence>",
        "<presence><x xmlns='{muc}'><status xml:lang='en'/></x></presence>",
        "<presence><x xmlns='{muc}'><item/><item/></x></presence>",
        "<presence><x xmlns='{muc}'><item jid='a@b'/></x><x xmlns='{muc}'>"
        "<item jid='c@d'/><status code='110'/></x></presence>",
        "<presence><x xmlns='{muc}'><item jid='@' role='emperor' affiliation=''/></x></presence>",
        "<presence><x xmlns='{muc}'><item jid='a@b@c/&#10;'/></x></presence>",
        "<presence><x xmlns='{muc}'><item jid='{long}@b'/></x></presence>",
        "<presence><x xmlns='{muc}'><item nick='{long}'/><status code='303'/></x></presence>",
        "<presence type='unavailable'><x xmlns='{muc}'><item nick='&#10;'/><status code='303'/>"
        "</x></presence>",
        "<presence type='unavailable'><x xmlns='{muc}'><item><reason>{long}</reason></item>"
        "<status code='307'/></x></presence>",
        "<presence type='unavailable'><x xmlns='{muc}'><destroy jid='{long}'/></x></presence>",
        "<presence type='error'/>",
        "<presence type='error'><error><{name} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        "</error></presence>",
        "<presence><occupant-id xmlns='urn:xmpp:occupant-id:0' id='{long}'/></presence>",
    )

    def feed(self, nick):
        for text in self.PRESENCES:
            stanza = parse(
                text.format(
                    muc="http://jabber.org/protocol/muc#user", long="x" * 9000, name="n" * 900
                )
            )
            presence = read_presence(node_of(stanza), nick)
            if presence is not None:
                self.room.got_presence(presence)

    def test_from_others(self):
        """Whatever is told of others, we stay where we are, and they have no identity by it."""
        lines = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        self.join()
        self.room.got_subject()
        self.presence("alice", ITEM.format("alice"))
        lines.clear()
        for nick in "mallory", "", "\u202e", "alice":
            self.feed(nick)
            self.assertIs(self.room.state, State.JOINED)
            self.assertTrue(self.room.caught_up)
            self.assertEqual((self.room.nick, lines), ("bot", []))
            self.assertIsNone(self.identity(nick))
        self.assertEqual(self.identity("bot"), "xbot@example.org")

    def test_of_ourselves(self):
        """Whatever is told of ourselves costs one short line each, and no more than a return."""
        lines = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        for text in self.PRESENCES:
            self.setUp()
            self.join()
            lines.clear()
            self.patch(self, "PRESENCES", (text,))
            self.feed("bot")
            self.assertLessEqual(len(lines), 1, text)
            for line in lines:
                self.assertLess(len(line["reason"]), 300)
            self.assertIn(self.room.state, (State.JOINED, State.ABSENT, State.REFUSED))
            self.assertIsNone(self.identity("alice"))

    def test_while_joining(self):
        """None of it lets us in; an error is a refusal, and the rest leaves us waiting."""
        self.patch(self, "PRESENCES", [t for t in self.PRESENCES if "error" not in t])
        self.room.enter()
        for nick in "bot", "mallory":
            self.feed(nick)
        self.assertIs(self.room.state, State.JOINING)
        self.assertEqual(len(self.sent), 1)
