"""The fast paths, on nodes and on bytes: same results as the slow path."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import HEADER, JID, PROPERTY, lowest, session
from tests.chat.xmpp.wire.domish_oracle import DomishElementStream
from tests.effort import examples
from xbot.chat.xmpp.messages import Messages
from xbot.chat.xmpp.rooms.rooms import Rooms
from xbot.chat.xmpp.stanzas.fast_path_bytes import FastPathElementStream
from xbot.chat.xmpp.stream.iq import Iq
from xbot.config.settings import RoomSettings
from xbot.model.jid import Jid

ROOM = "room@muc.example.org"

FROM = [
    f"{ROOM}/alice", f"{ROOM}/carol", f"{ROOM}/bot", f"{ROOM}/nobody", "ROOM@muc.example.org/alice",
    ROOM, f"{ROOM}/", f"{ROOM}/\u00e9\U0001f600", f"{ROOM}/a\u0085b", "other@muc.example.org/alice",
    "alice@example.org/pda", "@", "xbot@example.org", f"{ROOM}/{'x' * 1024}",
]  # fmt: skip
TYPES = ["groupchat"] * 4 + ["chat", "normal", "error", "headline", "", "GROUPCHAT"]
CHILDREN = [
    "<body>hi</body>", "<body>hi</body>", "<body>xbot: ping</body>", "<body/>",
    "<body>a&lt;b &amp; c</body>", "<body xml:lang='de'>hallo</body>", "<body>a<b/>c</body>",
    "<body xmlns='urn:other'>no</body>", "<subject/>", "<subject>s</subject>", "text", " ",
    "<delay xmlns='urn:xmpp:delay' stamp='2026-01-02T03:04:05Z'/>",
    "<delay xmlns='urn:xmpp:delay' from='example.org' stamp='1970-01-01T00:00:00Z'/>",
    "<x xmlns='jabber:x:delay'/>", "<delay/>",
    f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='s1'/>",
    f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='s2'/>",
    f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}'/>",
    "<stanza-id xmlns='urn:xmpp:sid:0' by='evil@example.org' id='s3'/>",
    "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/>", "<origin-id xmlns='urn:xmpp:sid:0'/>",
    "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='a'/>",
    "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='b'/>",
    "<occupant-id xmlns='urn:xmpp:occupant-id:0'/>",
    "<replace xmlns='urn:xmpp:message-correct:0' id='1'/>",
    "<x xmlns='jabber:x:conference' jid='x@y'/>",
    "<x xmlns='http://jabber.org/protocol/muc#user'/>",
    "<x xmlns='http://jabber.org/protocol/muc#user'><invite/></x>",
    "<active xmlns='http://jabber.org/protocol/chatstates'/>", "<p:x xmlns:p='urn:p'/>",
    "<x xmlns='a b'/>",
]  # fmt: skip


class Ear:
    """A room, the messages read in it, and all state that they change."""

    def __init__(self, make_elements, *, joined=True, resumed=False, raises=False, vouches=False):
        clock = Clock()
        clock.advance(100.0)
        self.messages, self.raises = [], raises
        iq = Iq(lambda: JID, clock)
        self.rooms = Rooms([RoomSettings(Jid.parse(ROOM), "bot")], iq, clock, lowest)
        self.handler = Messages(
            lambda: JID, JID.bare, self.rooms, self.got_message, clock.seconds, 120.0
        )
        self.peer = session(iq, self.rooms, self.handler, clock=clock, make_elements=make_elements)
        self.clock = clock
        if joined:
            self.presence("alice", "<item role='participant' jid='alice@example.org/pda'/>", "a")
            self.presence("carol", "<item role='participant' affiliation='owner'/>", "c")
            self.presence("bot", "<status code='110'/>")
            self.peer.feed(f"<message type='groupchat' from='{ROOM}'><subject/></message>")
            (room,) = self.rooms
            room.occupants.vouch(vouches)
        self.peer.stream.is_resumed = resumed
        clock.advance(1.0)

    def presence(self, nick, content, id=""):
        own = f"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{id}'/>" if id else ""
        self.peer.feed(
            f"<presence from='{ROOM}/{nick}'>"
            f"<x xmlns='http://jabber.org/protocol/muc#user'>{content}</x>{own}</presence>"
        )

    def got_message(self, message):
        self.messages.append(message)
        if self.raises:
            raise ValueError("a mistake")

    @property
    def heard_at(self):
        (room,) = self.rooms
        return room._self_ping.heard_at

    @property
    def caught_up(self):
        (room,) = self.rooms
        return room.caught_up


class WithoutFastPath(FastPathElementStream):
    """Without the fast path on bytes: every stanza goes through the parser."""

    PlainEvent = property(lambda self: None, lambda self, value: None)


class SameTests(unittest.TestCase):
    @settings(PROPERTY, max_examples=examples(300))
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(TYPES),
                st.sampled_from(FROM),
                st.sampled_from(["", " id='i1'", " to='xbot@example.org/bot'", " xml:lang='en'"]),
                st.lists(st.sampled_from(CHILDREN), max_size=5),
            ),
            min_size=1,
            max_size=4,
        ),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    )
    def test_both_ways(self, said, joined, resumed, vouches):
        """Whatever is said, all ways hear, count and note the same."""
        stanzas = [
            f"<message type='{kind}' from='{sender}'{more}>{''.join(children)}</message>"
            for kind, sender, more, children in said
        ]
        ears = [
            Ear(make, joined=joined, resumed=resumed, vouches=vouches)
            for make in (FastPathElementStream, WithoutFastPath, DomishElementStream)
        ]
        for stanza in stanzas:
            for ear in ears:
                ear.peer.feed(stanza)
                ear.clock.advance(1.0)
            *others, long = ears
            for short in others:
                self.assertEqual(short.messages, long.messages, stanza)
                self.assertEqual(short.handler.dropped, long.handler.dropped, stanza)
                self.assertEqual(short.heard_at, long.heard_at, stanza)
                self.assertEqual(short.caught_up, long.caught_up, stanza)
                self.assertEqual(short.peer.stream.dropped, long.peer.stream.dropped, stanza)

    def test_every_pair(self):
        """A body and any two children, in any order, are heard alike."""
        both = FastPathElementStream, DomishElementStream
        short, long = (Ear(make, vouches=True) for make in both)
        for one, other in product(CHILDREN, repeat=2):
            for content in f"<body>b</body>{one}{other}", f"{one}<body>b</body>{other}":
                stanza = f"<message type='groupchat' from='{ROOM}/alice'>{content}</message>"
                for ear in short, long:
                    ear.peer.feed(stanza)
                self.assertEqual(short.messages, long.messages, stanza)
                self.assertEqual(short.handler.dropped, long.handler.dropped, stanza)
                short.messages.clear()
                long.messages.clear()


ITEMS = [
    "<item role='participant'/>", "<item affiliation='owner' role='moderator' jid='a@x.org/p'/>",
    "<item role='odd' affiliation='odd' jid='@'/>", "<item nick='other'/>",
    "<item><reason>why</reason></item>", "<item xmlns='urn:other'/>", "text", "<destroy/>",
    "<status code='110'/>", "<status code='303'/>", "<status code='307'/>",
    f"<item jid='{'x' * 4000}@y'/>",
]  # fmt: skip
X = ["<x xmlns='http://jabber.org/protocol/muc#user'>", "<x xmlns='urn:other'>"]
MORE = [
    "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='o1'/>", "<show>away</show>", " ",
    "<occupant-id xmlns='urn:xmpp:occupant-id:0'/>", "<error type='cancel'><conflict/></error>",
    f"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{'x' * 300}'/>",
    "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>",
]  # fmt: skip
PRESENCE_TYPES = [""] * 5 + [f" type='{kind}'" for kind in ("unavailable", "error", "subscribe")]


class SamePresenceTests(unittest.TestCase):
    @settings(PROPERTY, max_examples=examples(300))
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(FROM[:11]),
                st.sampled_from(PRESENCE_TYPES),
                st.lists(
                    st.tuples(st.sampled_from(X), st.lists(st.sampled_from(ITEMS), max_size=2))
                    | st.sampled_from(MORE),
                    max_size=3,
                ),
            ),
            min_size=1,
            max_size=5,
        ),
        st.booleans(),
    )
    def test_both_ways(self, seen, joined):
        """Whoever comes, changes or goes, all ways leave the room as they find it."""
        ears = [
            Ear(make, joined=joined)
            for make in (FastPathElementStream, WithoutFastPath, DomishElementStream)
        ]
        for sender, kind, children in seen:
            content = "".join(
                child if isinstance(child, str) else f"{child[0]}{''.join(child[1])}</x>"
                for child in children
            )
            stanza = f"<presence from='{sender}'{kind}>{content}</presence>"
            for ear in ears:
                ear.peer.feed(stanza)
                ear.clock.advance(1.0)
            *others, long = map(self.state_of, ears)
            for short in others:
                self.assertEqual(short, long, stanza)

    def state_of(self, ear):
        (room,) = ear.rooms
        occupants = {nick: room.occupants.get(nick) for nick in room.occupants}
        return room.status, room.nick, room.caught_up, occupants, ear.heard_at, ear.rooms.dropped

    def test_it_is_short(self):
        """The presence of somebody who is there becomes no element; one of a stranger does."""
        ear = Ear(FastPathElementStream)
        seen = []
        ear.peer.stream.addObserver("/presence", seen.append)
        ear.presence("dave", "<item role='participant'/>")
        self.assertEqual(seen, [])
        ear.peer.feed("<presence from='dave@example.org/x'/>")
        self.assertEqual(len(seen), 1)


class SubjectTests(unittest.TestCase):
    def test_both_ways(self):
        """What ends the history, and what does not, is the same both ways."""
        ears = [Ear(make) for make in (FastPathElementStream, DomishElementStream)]
        ended = []
        for kind, sender, one, other in product(
            ("groupchat", "normal", "error"),
            FROM[::3],
            CHILDREN,
            ["", *CHILDREN[::4], "<subject/>"],
        ):
            stanza = f"<message type='{kind}' from='{sender}'>{one}{other}</message>"
            for ear in ears:
                (room,) = ear.rooms
                room.caught_up = False
                ear.clock.advance(1.0)
                ear.peer.feed(stanza)
            states = [
                (ear.caught_up, ear.heard_at, ear.handler.dropped, len(ear.messages))
                for ear in ears
            ]
            self.assertEqual(*states, stanza)
            ended.append(ears[0].caught_up)
        self.assertEqual(set(ended), {True, False})

    def test_it_is_short(self):
        """The subject of a room of ours becomes no element, nor does our own presence there."""
        ear = Ear(FastPathElementStream, joined=False)
        seen = []
        for path in "/message", "/presence":
            ear.peer.stream.addObserver(path, seen.append)
        ear.presence("bot", "<item role='participant'/><status code='110'/>")
        subject = f"<message type='groupchat' from='{ROOM}/alice'><subject>s</subject></message>"
        ear.peer.feed(subject)
        self.assertEqual((ear.caught_up, seen), (True, []))
        ear.peer.feed(subject.replace("room@", "other@"))
        self.assertEqual(len(seen), 1)


class ShortWayTests(unittest.TestCase):
    PLAIN = f"<message type='groupchat' from='{ROOM}/alice'><body>hi</body><a xmlns='u'/></message>"

    def test_it_is_short(self):
        """What is plain becomes no element; what is not does."""
        ear = Ear(FastPathElementStream)
        seen = []
        ear.peer.stream.addObserver("/message", seen.append)
        ear.peer.feed(self.PLAIN)
        self.assertEqual((len(ear.messages), seen), (1, []))
        ear.peer.feed(self.PLAIN.replace("groupchat", "chat"))
        self.assertEqual((len(ear.messages), len(seen)), (2, 1))

    def test_a_mistake_of_ours(self):
        """An exception while a message is taken is one line in the log, and the stream goes on."""
        ear = Ear(FastPathElementStream, raises=True)
        for _ in range(2):
            ear.peer.feed(self.PLAIN)
        self.assertEqual(len(ear.messages), 2)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)
        self.assertIsNone(ear.peer.stream.problem)

    def test_held_until_safe(self):
        """A server that counts is told of a message when it is safe, on the short way too."""
        safe = Deferred()
        ear = Ear(FastPathElementStream)
        ear.got_message = lambda message: safe
        ear.handler._got_message = lambda message: safe
        received = []

        class Counting:
            def received(self, until=None):
                received.append(until)

        ear.peer.stream.managed = Counting()
        ear.peer.feed(self.PLAIN)
        ear.handler._got_message = lambda message: None
        ear.peer.feed(self.PLAIN)
        self.assertEqual(received, [safe, None])

    def test_nothing_after_the_end(self):
        """Once the stream ended, the rest of what came with it is not heard."""
        ear = Ear(FastPathElementStream)
        ear.peer.feed(f"{self.PLAIN}<stream:error/>{self.PLAIN}")
        self.assertEqual(len(ear.messages), 1)

    def test_trace(self):
        """The wire log gets an element of each stanza, and each is handled all the same."""
        ear, shown = Ear(FastPathElementStream), []

        class Trace:
            received = shown.append

        ear.peer.stream._trace = Trace
        ear.peer.stream._initializeStream()
        ear.peer.feed(HEADER)
        ear.presence("dave", "<item role='participant'/>")
        ear.peer.feed(self.PLAIN + "<iq type='result' id='unasked'/>")
        self.assertEqual([element.name for element in shown], ["presence", "message", "iq"])
        (room,) = ear.rooms
        self.assertIn("dave", room.occupants)
        self.assertEqual([message.body for message in ear.messages], ["hi"])
