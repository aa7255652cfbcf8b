"""Joins of many rooms, when the connection is cut before all of them have left."""

import re

from tests.chat.xmpp.harness import BIND, JID, features, parse_all
from tests.chat.xmpp.stream.test_stream_management import NS, ROOM, SELF, SM, ManagedCase
from xbot.chat.xmpp.rooms.join_pace import MOST
from xbot.chat.xmpp.rooms.room import State
from xbot.config.settings import RoomSettings
from xbot.model.jid import Jid

ROOMS = [f"room{number}@muc.example.org" for number in range(40)]


class JoinsAfterACutTests(ManagedCase):
    def play(self, peer, kind="available"):
        """A server that answers all pings and presences; returns the rooms in their order."""
        rooms = []
        attribute = "" if kind == "available" else f"type='{kind}'"
        for _ in range(200):
            text = peer.sent()
            for ident in re.findall(r"<iq[^>]* id='([^']*)'[^>]*><ping", text):
                peer.feed(f"<iq type='result' id='{ident}' from='{JID.domain}'/>")
            presences = [
                stanza
                for stanza in parse_all(text)
                if stanza.name == "presence" and stanza.hasAttribute("to")
            ]
            self.assertLessEqual(len(presences), MOST)
            for presence in presences:
                self.assertEqual(presence.getAttribute("type", "available"), kind)
                room = presence["to"].partition("/")[0]
                rooms.append(room)
                peer.feed(f"<presence {attribute} from='{room}/bot'>{SELF}</presence>")
            if NS in text:
                peer.feed(f"<a xmlns='{NS}' h='{self.counted()}'/>")
            self.clock.advance(0.05)
        return rooms

    def begin(self):
        """A stream on which some of the joins left, and no answer came yet."""
        peer = self.log_in()
        for room in ROOMS:
            self.adapter.rooms.join(RoomSettings(Jid.parse(room), "bot"))
        return peer

    def check_joined(self):
        states = {room.state for room in self.adapter.rooms}
        self.assertEqual(states, {State.JOINED})

    def test_resumed(self):
        """On the resumed stream each room is joined, though the ping behind the first was lost."""
        peer = self.come_back(self.begin())
        self.resumed(peer, 3)
        self.assertEqual(set(self.play(peer)), set(ROOMS))
        self.check_joined()

    def test_many_are_left(self):
        """Rooms are left as they are joined: few at a time, and all of them."""
        peer = self.begin()
        self.assertEqual(self.play(peer), ROOMS)
        for room in ROOMS:
            self.adapter.rooms.leave(Jid.parse(room))
        self.assertEqual(self.play(peer, "unavailable"), ROOMS)
        self.assertEqual([room.address for room in self.adapter.rooms], [ROOM])

    def test_a_new_session(self):
        """In a new session all rooms are joined, in the ini's order."""
        peer = self.come_back(self.begin())
        peer.feed(f"<failed xmlns='{NS}'/>")
        peer.bind(str(JID))
        peer.feed(f"<enabled xmlns='{NS}' id='s2' resume='true'/>")
        self.assertEqual(self.play(peer), [ROOM, *ROOMS])
        self.check_joined()

    def test_retried_while_the_session_waits(self):
        """A room that refused us, and is to be asked again during a cut, is asked after it."""
        peer = self.log_in(entered=False)
        peer.feed(
            f"<presence type='error' from='{ROOM}/bot'><error type='auth'>"
            f"<forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"
        )
        (room,) = self.adapter.rooms
        self.assertIs(room.state, State.REFUSED)
        peer.lose()
        self.adapter.rooms.retry_refused("the ini was read again")
        self.wait()
        peer = self.endpoint.accept()
        peer.authenticate()
        peer.feed(features(BIND + SM))
        self.resumed(peer, 3)
        self.assertEqual(self.play(peer), [ROOM])
        self.check_joined()
