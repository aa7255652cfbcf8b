"""Whether a room announces occupant ids (XEP-0421)."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import JID, lowest, parse_node, session
from xbot.chat.xmpp.rooms.occupant_ids import RETRY_DELAY, Announcements
from xbot.chat.xmpp.rooms.rooms import Rooms
from xbot.chat.xmpp.stream.iq import Iq, IqRefused, IqTimeout
from xbot.config.settings import RoomSettings
from xbot.model.jid import Jid

ROOM = Jid.parse("room@muc.example.org")
OTHER = Jid.parse("other@muc.example.org")
FEATURE = "<feature var='urn:xmpp:occupant-id:0'/>"


def info(features):
    query = f"<query xmlns='http://jabber.org/protocol/disco#info'>{features}</query>"
    return f"<iq type='result'>{query}</iq>"


class AnnouncementsTests(unittest.TestCase):
    def setUp(self):
        self.asked = []
        self.announcements = Announcements(self.request)

    def request(self, kind, to, payload):
        self.assertEqual((kind, payload.uri), ("get", "http://jabber.org/protocol/disco#info"))
        answer = Deferred()
        self.asked.append((to, answer))
        return answer

    def answer(self, to, features):
        """The JID that was asked first announces these."""
        address, answer = self.asked.pop(0)
        self.assertEqual(address, to)
        if isinstance(features, Exception):
            answer.errback(features)
        else:
            answer.callback(parse_node(info(features)))

    def test_of_a_service(self):
        """What the service announces is true of all of its rooms; it is asked once."""
        results = [self.announcements.has(room) for room in (ROOM, OTHER)]
        self.answer("muc.example.org", f"<feature var='x'/>text{FEATURE}")
        results.append(self.announcements.has(OTHER))
        self.assertEqual([self.successResultOf(each) for each in results], [True] * 3)
        self.assertEqual(self.asked, [])

    def test_of_a_room(self):
        """If the service does not announce it, each room is asked."""
        results = [self.announcements.has(room) for room in (ROOM, OTHER)]
        self.answer("muc.example.org", "<feature var='urn:xmpp:occupant-id:1'/>")
        self.answer(str(ROOM), FEATURE)
        self.answer(str(OTHER), f"<x xmlns='urn:x'>{FEATURE}</x>")
        self.assertEqual([self.successResultOf(each) for each in results], [True, False])

    def test_refused(self):
        """A refusal is no announcement."""
        result = self.announcements.has(ROOM)
        self.answer("muc.example.org", IqRefused("service-unavailable"))
        self.answer(str(ROOM), IqRefused("forbidden"))
        self.assertIs(self.successResultOf(result), False)

    def test_no_answer(self):
        """Without an answer it is not known, and the service is asked again the next time."""
        results = [self.announcements.has(room) for room in (ROOM, OTHER)]
        self.answer("muc.example.org", IqTimeout("late"))
        self.assertEqual([self.successResultOf(each) for each in results], [None, None])
        result = self.announcements.has(ROOM)
        self.answer("muc.example.org", "")
        self.answer(str(ROOM), ValueError("a mistake"))
        self.assertIsNone(self.successResultOf(result))

    def test_forgotten(self):
        """A new session asks again."""
        self.announcements.has(ROOM)
        self.answer("muc.example.org", FEATURE)
        self.announcements.forget()
        self.announcements.has(ROOM)
        self.answer("muc.example.org", FEATURE)


class StayTests(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.ready = []
        iq = Iq(lambda: JID, self.clock)
        self.rooms = Rooms(
            [RoomSettings(ROOM, "bot")], iq, self.clock, lowest, joined=self.ready.append
        )
        (self.room,) = self.rooms
        self.peer = session(iq, self.rooms, clock=self.clock)
        self.peer.sent()

    def presence(self, nick, id="", codes="", kind=""):
        own = f"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{id}'/>" if id else ""
        self.peer.feed(
            f"<presence from='{ROOM}/{nick}' {kind}>{own}<x xmlns='http://jabber.org/protocol/"
            f"muc#user'><item role='participant'/>{codes}</x></presence>"
        )

    def enter(self, id="us"):
        self.presence("alice", "a")
        self.presence("bot", id, "<status code='110'/>")

    def answer(self, features, sender=None):
        """The bot asks; the service gives this answer."""
        asked = self.peer.stanza()
        head = f"<iq type='result' from='{sender or asked['to']}' id='{asked['id']}'>"
        self.peer.feed(info(features).replace("<iq type='result'>", head))

    def is_certain(self, nick="alice"):
        return self.room.occupants.is_certain(self.room.occupants.number(nick))

    def test_announced(self):
        """Ids count once the service announces them; what waits for that is tried again."""
        self.enter()
        self.assertFalse(self.is_certain())
        self.assertEqual(self.ready, [self.room])
        self.answer(FEATURE)
        self.assertTrue(self.is_certain())
        self.assertEqual(self.ready, [self.room] * 2)
        # Another self-presence does not ask again.
        self.enter()
        self.assertEqual(self.peer.sent(), "")
        self.assertTrue(self.is_certain())

    def test_not_asked(self):
        """A room that adds none to our own presence is not asked, and no id counts there."""
        self.enter(id="")
        self.assertEqual(self.peer.sent(), "")
        self.assertFalse(self.is_certain())

    def test_no_longer_added(self):
        """Once the room adds none to our own presence, none counts."""
        self.enter()
        self.answer(FEATURE)
        self.enter(id="")
        self.assertFalse(self.is_certain())

    def test_another_answers(self):
        """The answer of another does not count."""
        self.enter()
        self.answer(FEATURE, "mallory@example.net/x")
        self.assertFalse(self.is_certain())

    def test_each_stay(self):
        """Each stay begins without ids that count; an answer for an earlier one is ignored."""
        self.enter()
        asked = self.peer.stanza()
        self.presence("bot", "us", "<status code='110'/><status code='307'/>", "type='unavailable'")
        self.clock.advance(60)
        self.peer.sent()
        self.peer.feed(
            info(FEATURE).replace("<iq", f"<iq from='{asked['to']}' id='{asked['id']}'", 1)
        )
        self.enter(id="")
        self.assertFalse(self.is_certain())

    def test_no_answer(self):
        """A service that does not answer is asked again later, but not after we left."""
        self.enter()
        self.peer.sent()
        self.clock.advance(30)
        self.assertFalse(self.is_certain())
        self.clock.advance(RETRY_DELAY)
        self.answer(FEATURE)
        self.assertTrue(self.is_certain())
