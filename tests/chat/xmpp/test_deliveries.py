"""Deliveries: what comes back is said again, kept for voice, or reported; XML in, XML out."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial import unittest

from tests.chat.xmpp.harness import (
    JID,
    PASSWORD,
    TLS_OPTIONS,
    FakeEndpoint,
    in_thread,
    lowest,
    parse_all,
)
from tests.chat.xmpp.stream.test_stream_management import ManagedCase
from xbot.chat.xmpp.adapter import FIRST_VOICE_TRY, XmppAdapter
from xbot.chat.xmpp.deliveries import (
    FIRST_TRY,
    MAX_EACH,
    MAX_KNOWN,
    MAX_TRIES,
    REFLECT_TIMEOUT,
    Deliveries,
)
from xbot.chat.xmpp.holds import MAX_HELD, Holds
from xbot.chat.xmpp.stream.login import Account
from xbot.config.settings import RoomSettings, Secret, XmppSettings
from xbot.engine.outbox import MAX_AGE, Outbox
from xbot.model.errors import NotConnected
from xbot.model.jid import Jid
from xbot.model.message import Message

ROOM, OTHER = "room@muc.example.org", "other@muc.example.org"
ALICE = "alice@example.org/pda"
USER = "<x xmlns='http://jabber.org/protocol/muc#user'>{}</x>"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


def to_room(text: str, room: str = ROOM) -> Message:
    """Something said in a room."""
    return Message("", room, text, {"type": "groupchat", "id": text}, room=room)


def to_alice(text: str) -> Message:
    """Something said to a person."""
    return Message("", ALICE, text, {"type": "chat", "id": text})


class DeliveryCase(unittest.TestCase):
    """A bot in two rooms, on a server without stream management."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.texts: list[str] = []
        self.told: list[str] = []
        self.lost: list[str] = []
        self.outbox = Outbox(
            lambda message: self.adapter.send(message),
            clock=self.clock,
            lost=lambda message: self.lost.append(message.body),
        )
        self.addCleanup(self.outbox.stop)
        endpoint = FakeEndpoint(self.clock)
        rooms = tuple(RoomSettings(Jid.parse(room), "bot") for room in (ROOM, OTHER))
        self.adapter = XmppAdapter(
            XmppSettings(JID),
            Account(JID, Secret(PASSWORD), TLS_OPTIONS),
            endpoint,
            rooms,
            lambda message: None,
            self.outbox,
            self.fail,
            clock=self.clock,
            uniform=lowest,
            in_thread=in_thread,
        )
        self.adapter.start()
        self.peer = endpoint.accept()
        self.peer.log_in("xbot@example.org/given")
        for room in ROOM, OTHER:
            self.presence("participant", room)
            self.peer.feed(f"<message type='groupchat' from='{room}'><subject/></message>")
        self.peer.sent()

    def logged(self) -> list[str]:
        """The lines of the log."""
        return [formatEvent(event) for event in self.events]

    def presence(self, role: str, room: str = ROOM) -> None:
        """The room tells us our role."""
        x = USER.format(f"<item role='{role}' affiliation='none'/><status code='110'/>")
        self.peer.feed(f"<presence from='{room}/bot'>{x}</presence>")

    def put(self, message: Message) -> None:
        body = message.body
        self.outbox.put(
            message,
            lambda: self.told.append(f"{body} delivered"),
            lambda: self.told.append(f"{body} failed"),
        )

    def sent(self) -> list[str]:
        """The texts that left since the last look; pings are answered."""
        for stanza in parse_all(self.peer.sent()):
            if stanza.name == "message":
                self.texts.append(str(stanza.body))
            elif stanza.name == "iq" and stanza["type"] == "get":
                sender = stanza.getAttribute("to", "example.org")
                self.peer.feed(f"<iq type='result' id='{stanza['id']}' from='{sender}'/>")
        texts, self.texts = self.texts, []
        return texts

    def wait(self, seconds: float) -> None:
        """Time passes, and the server answers pings."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
            self.texts = self.sent()

    def back(self, id: str, condition: str, type_: str, sender: str = ROOM, text: str = "") -> None:
        """A message comes back."""
        self.peer.feed(
            f"<message type='error' from='{sender}' id='{id}'><error type='{type_}'>"
            f"<{condition} xmlns='{STANZAS}'/><text xmlns='{STANZAS}'>{text}</text></error>"
            "</message>"
        )

    def reflect(self, id: str, room: str = ROOM) -> None:
        """The room relays our message to everyone in it."""
        self.peer.feed(
            f"<message type='groupchat' from='{room}/bot' id='{id}'><body>{id}</body></message>"
        )


class ArrivedTests(DeliveryCase):
    def test_reflected(self) -> None:
        """A message to a room arrived once the room reflects it, not when it was written."""
        self.put(to_room("a"))
        self.assertEqual(self.told, [])
        self.reflect("a", OTHER)
        self.assertEqual(self.told, [])
        self.reflect("a")
        self.assertEqual(self.told, ["a delivered"])
        self.reflect("a")
        self.assertEqual((len(self.outbox), self.told), (0, ["a delivered"]))

    def test_never_reflected(self) -> None:
        """Where a room gives it another id, the server's word counts after a while."""
        self.put(to_room("a"))
        self.clock.advance(REFLECT_TIMEOUT)
        self.assertEqual(self.told, ["a delivered"])

    def test_session_ends(self) -> None:
        """What the server had when the session ended counts as delivered; no timer is left."""
        self.put(to_room("a"))
        self.adapter.stop()
        self.peer.lose()
        self.assertEqual(self.told, ["a delivered"])


class RejectedTests(DeliveryCase):
    def test_room(self) -> None:
        """What a room refuses for good is told, and logged once with the room's words."""
        self.put(to_room("a"))
        self.put(to_room("b"))
        self.back("a", "not-allowed", "cancel", text="no\nlinks")
        self.assertEqual(self.told, ["a failed"])
        self.reflect("b")
        self.assertEqual(self.told, ["a failed", "b delivered"])
        self.clock.advance(1)
        self.assertIn(
            f"dropped 1 messages to {ROOM}: it came back: not-allowed (no links)", self.logged()
        )

    def test_person(self) -> None:
        """What comes back from a person after it counted as delivered is told as lost."""
        self.put(to_alice("a"))
        self.assertEqual(self.told, ["a delivered"])
        self.back("a", "service-unavailable", "cancel", ALICE)
        self.back("a", "service-unavailable", "cancel", ALICE)
        self.assertEqual((self.lost, len(self.outbox)), (["a"], 0))

    def test_forged(self) -> None:
        """An error counts only from the room itself, or the person, that we said it to."""
        self.put(to_room("a"))
        self.put(to_alice("b"))
        for sender in f"{ROOM}/alice", OTHER, "evil@example.org", "":
            self.back("a", "not-allowed", "cancel", sender)
            self.back("b", "not-allowed", "cancel", sender)
        self.back("c", "not-allowed", "cancel")
        self.reflect("a")
        self.assertEqual((self.told, self.lost), (["b delivered", "a delivered"], []))


class WaitTests(DeliveryCase):
    def test_said_again_in_order(self) -> None:
        """What a room wants later is said again later, in order; other places do not wait."""
        for text in "abc":
            self.put(to_room(text))
        self.assertEqual(self.sent(), ["a", "b", "c"])
        for text in "abc":
            self.back(text, "resource-constraint", "wait")
        self.put(to_room("d"))
        self.put(to_room("x", OTHER))
        self.assertEqual(self.sent(), ["x"])
        self.clock.advance(FIRST_TRY)
        # One is tried; when it arrives, the others follow.
        self.assertEqual(self.sent(), ["a"])
        self.reflect("a")
        self.assertEqual(self.sent(), ["b", "c", "d"])
        for text in "bcd":
            self.reflect(text)
        self.assertEqual(self.told, [f"{text} delivered" for text in "abcd"])

    def test_given_up(self) -> None:
        """After some tries it is told as failed, and what waited behind it has its turn."""
        self.put(to_room("a"))
        self.back("a", "resource-constraint", "wait")
        self.put(to_room("b"))
        for number in range(MAX_TRIES):
            self.assertEqual(self.told, [], number)
            self.wait(FIRST_TRY * 2**number)
            self.back("a", "resource-constraint", "wait")
        self.assertEqual(self.told, ["a failed"])
        self.assertEqual(self.sent(), ["a"] * (MAX_TRIES + 1))
        self.wait(FIRST_TRY * 2**MAX_TRIES)
        self.assertEqual(self.sent(), ["b"])

    def test_a_person(self) -> None:
        """So it is for a person, after the acknowledgement."""
        self.put(to_alice("a"))
        self.back("a", "remote-server-timeout", "wait", ALICE)
        self.put(to_alice("b"))
        self.assertEqual((self.sent(), len(self.outbox)), (["a"], 2))
        self.clock.advance(FIRST_TRY)
        self.assertEqual((self.sent(), len(self.outbox)), (["a", "b"], 0))


class VoiceTests(DeliveryCase):
    def test_kept_for_voice(self) -> None:
        """Without voice it warns once, keeps what is said, and says it in order with voice."""
        for text in "ab":
            self.put(to_room(text))
        for text in "ab":
            self.back(text, "forbidden", "auth", text="no voice")
        self.put(to_room("c"))
        self.put(to_room("x", OTHER))
        self.assertEqual(self.sent(), ["a", "b", "x"])
        self.assertTrue(self.adapter.is_mute(ROOM))
        self.assertFalse(self.adapter.is_mute(OTHER))
        self.presence("participant")
        self.assertFalse(self.adapter.is_mute(ROOM))
        self.assertEqual(self.sent(), ["a", "b", "c"])
        for text in "abc":
            self.reflect(text)
        self.assertEqual(self.told, ["a delivered", "b delivered", "c delivered"])
        problem = "may not speak there: forbidden (no voice)"
        warnings = [line for line in self.logged() if "we may not speak" in line]
        self.assertEqual(warnings, [f"{ROOM}: we {problem}; what is said there waits for voice"])

    def test_private_answers_go_on(self) -> None:
        """A private answer through the room does not wait for voice."""
        self.put(to_room("a"))
        self.back("a", "forbidden", "auth")
        self.put(to_room("b"))
        private = Message("", f"{ROOM}/alice", "p", {"type": "chat", "id": "p"}, room=ROOM)
        self.outbox.put(private)
        self.assertEqual(self.sent(), ["a", "p"])

    def test_voice_that_is_not_told(self) -> None:
        """Now and then one message is tried, for a room that does not tell of voice."""
        for text in "ab":
            self.put(to_room(text))
            self.back(text, "forbidden", "auth")
        self.sent()
        self.wait(FIRST_VOICE_TRY)
        self.assertEqual(self.sent(), ["a"])
        self.back("a", "forbidden", "auth")
        self.wait(2 * FIRST_VOICE_TRY)
        self.assertEqual(self.sent(), ["a"])
        self.reflect("a")
        self.assertEqual(self.sent(), ["b"])
        self.assertFalse(self.adapter.is_mute(ROOM))

    def test_too_old(self) -> None:
        """What waits for voice too long is told as failed, though it is tried again and again."""
        self.put(to_room("a"))
        self.back("a", "forbidden", "auth")
        for _ in range(int(MAX_AGE / 30) + 4):
            self.wait(30)
            for text in self.sent():
                self.back(text, "forbidden", "auth")
        self.assertEqual((self.told, len(self.outbox)), (["a failed"], 0))

    def visitor(self, *features: str) -> None:
        """We become a visitor, and the room tells its features."""
        self.presence("visitor")
        (asked,) = (s for s in parse_all(self.peer.sent()) if s.name == "iq")
        self.assertEqual((asked["to"], asked.firstChildElement().name), (ROOM, "query"))
        told = "".join(f"<feature var='{feature}'/>" for feature in features)
        self.peer.feed(
            f"<iq type='result' id='{asked['id']}' from='{ROOM}'>"
            f"<query xmlns='http://jabber.org/protocol/disco#info'>{told}</query></iq>"
        )

    def test_a_visitor(self) -> None:
        """A visitor in a moderated room knows it before it says anything."""
        self.visitor("muc_open", "muc_moderated")
        self.assertTrue(self.adapter.is_mute(ROOM))
        self.put(to_room("a"))
        self.assertEqual(self.sent(), [])
        self.presence("moderator")
        self.assertEqual(self.sent(), ["a"])

    def test_a_visitor_where_nothing_is_moderated(self) -> None:
        """Whether a visitor may speak in another room, that room's answer tells."""
        self.visitor("muc_unmoderated")
        self.assertFalse(self.adapter.is_mute(ROOM))
        self.put(to_room("a"))
        self.assertEqual(self.sent(), ["a"])

    def test_the_room_changes(self) -> None:
        """When the room's settings change (104), a visitor asks again."""
        self.visitor("muc_moderated")
        notice = USER.format("<status code='104'/>")
        self.peer.feed(f"<message type='groupchat' from='{ROOM}'>{notice}</message>")
        (asked,) = (s for s in parse_all(self.peer.sent()) if s.name == "iq")
        self.peer.feed(
            f"<iq type='result' id='{asked['id']}' from='{ROOM}'>"
            "<query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        )
        self.assertFalse(self.adapter.is_mute(ROOM))


class BoundTests(unittest.TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.ready: list[str] = []
        self.outbox = Outbox(lambda message: None)
        self.holds = Holds(self.clock, self.ready.append)
        self.addCleanup(self.holds.stop)
        nothing: Any = lambda *arguments: None  # noqa: E731
        self.deliveries = Deliveries(
            self.outbox, self.holds, self.clock, nothing, nothing, self.outbox.got_returned
        )

    def test_memory(self) -> None:
        """A number of messages is remembered for each address and in all; others' stay."""
        self.deliveries.sent(to_room("first"))
        for number in range(2 * MAX_EACH):
            message = to_room(f"{number}", OTHER)
            self.deliveries.sent(message)
            self.deliveries.got_acknowledged(message)
        known = self.deliveries._known
        self.assertEqual((len(known[ROOM]), len(known[OTHER])), (1, MAX_EACH))
        for number in range(2 * MAX_KNOWN):
            message = Message("", f"p{number}@example.org", "x", {"type": "chat", "id": "x"})
            self.deliveries.sent(message)
            self.deliveries.got_acknowledged(message)
        self.assertLessEqual(self.deliveries._count, MAX_KNOWN + 1)
        self.assertEqual(self.deliveries._count, sum(map(len, known.values())))
        self.deliveries.connectionLost(None)  # type: ignore[arg-type]

    def test_holds(self) -> None:
        """A number of places is held; a try whose outcome is not known gives way to another."""
        for number in range(2 * MAX_HELD):
            self.holds.hold(f"{number}", "why", 5, 10)
        self.assertEqual((len(self.holds), len(self.clock.getDelayedCalls())), (MAX_HELD,) * 2)
        place = f"{2 * MAX_HELD - 1}"
        a, b = to_room("a", place), to_room("b", place)
        with self.assertRaises(NotConnected):
            self.holds.check(place, a)
        self.clock.advance(5)
        self.holds.check(place, a)
        self.holds.check(place, a)
        with self.assertRaises(NotConnected):
            self.holds.check(place, b)
        self.clock.advance(60)
        self.holds.check(place, b)
        self.assertEqual(self.ready.count(place), 2)


class ManagedDeliveryTests(ManagedCase):
    """The same on a server with stream management, in a room that reflects when told to."""

    def reflect(self, message: Message) -> None:
        """Nothing is reflected by itself."""
        self.acknowledged(message)

    def got_reflection(self, id: str) -> None:
        self.peer.feed(
            f"<message type='groupchat' from='{ROOM}/bot' id='{id}'><body>x</body></message>"
        )

    def setUp(self) -> None:
        super().setUp()
        self.peer = self.log_in()
        self.told: list[str] = []
        for text in "ab":
            self.outbox.put(
                to_room(text),
                lambda text=text: self.told.append(f"{text} delivered"),
                lambda text=text: self.told.append(f"{text} failed"),
            )
        self.peer.sent()

    def came_back(self, id: str, condition: str, type_: str) -> None:
        self.peer.feed(
            f"<message type='error' from='{ROOM}' id='{id}'><error type='{type_}'>"
            f"<{condition} xmlns='{STANZAS}'/></error></message>"
        )

    def test_acknowledged_before_it_is_reflected(self) -> None:
        """The server's acknowledgement alone is no delivery to a room; the reflection is."""
        self.acknowledge(self.peer, self.counted())
        self.assertEqual(self.told, [])
        self.got_reflection("a")
        self.came_back("b", "not-allowed", "cancel")
        self.assertEqual((self.told, len(self.outbox)), (["a delivered", "b failed"], 0))

    def test_reflected_before_it_is_acknowledged(self) -> None:
        """Either may come first; nothing is counted twice."""
        self.got_reflection("a")
        self.came_back("b", "not-allowed", "cancel")
        self.acknowledge(self.peer, self.counted())
        self.assertEqual((self.told, len(self.outbox)), (["a delivered", "b failed"], 0))
        self.assertEqual(self.adapter.deliveries._count, 0)

    def test_lost_session(self) -> None:
        """What was reflected, or came back, is not said again after a session that is lost."""
        self.got_reflection("a")
        self.came_back("b", "not-allowed", "cancel")
        self.outbox.put(to_room("c"))
        self.peer = self.come_back(self.peer, offer="")
        self.peer.bind(str(JID))
        self.enter(self.peer)
        self.assertEqual(self.bodies(self.peer), ["c"])

    def test_reflected_while_we_were_away(self) -> None:
        """The wait for a reflection begins anew on a resumed stream."""
        self.acknowledge(self.peer, self.counted())
        self.peer = self.come_back(self.peer)
        self.clock.advance(REFLECT_TIMEOUT)
        self.assertEqual(self.told, [])
        self.resumed(self.peer, self.counted())
        self.clock.advance(REFLECT_TIMEOUT - 1)
        self.assertEqual(self.told, [])
        self.got_reflection("a")
        self.clock.advance(1)
        self.assertEqual(self.told, ["a delivered", "b delivered"])

    def test_kept_for_voice_over_a_lost_session(self) -> None:
        """What was kept for voice is said once, in order, in the next session."""
        for text in "ab":
            self.came_back(text, "forbidden", "auth")
        self.outbox.put(to_room("c"))
        self.assertEqual(self.bodies(self.peer), [])
        self.peer = self.come_back(self.peer, offer="")
        self.peer.bind(str(JID))
        self.enter(self.peer)
        self.assertEqual(self.bodies(self.peer), ["a", "b", "c"])
