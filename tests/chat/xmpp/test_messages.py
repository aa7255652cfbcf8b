"""Incoming messages."""

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import JID, lowest, session
from xbot.chat.xmpp.machines import Machines
from xbot.chat.xmpp.messages import RESEND_MARGIN, Messages
from xbot.chat.xmpp.rooms.rooms import Rooms
from xbot.chat.xmpp.stream.iq import Iq
from xbot.config.settings import RoomSettings
from xbot.model.jid import Jid
from xbot.model.message import Message, reply_to

ROOM = "room@muc.example.org"
ALICE = f"from='{ROOM}/alice'"
BODY = "<body>hi</body>"


class Hearing:
    """A room, and the messages received in it."""

    def setUp(self):
        self.clock = clock = Clock()
        self.heard = []
        iq = Iq(lambda: JID, clock)
        self.rooms = rooms = Rooms([RoomSettings(Jid.parse(ROOM), "bot")], iq, clock, lowest)
        self.messages = Messages(
            lambda: JID,
            JID.bare,
            rooms,
            self.heard.append,
            clock.seconds,
            120.0,
            machines=Machines(clock),
        )
        self.peer = session(iq, rooms, self.messages, clock=clock)

    def presence(self, nick, content, kind=""):
        self.peer.feed(
            f"<presence from='{ROOM}/{nick}' {kind}>"
            f"<x xmlns='http://jabber.org/protocol/muc#user'>{content}</x></presence>"
        )

    def join(self):
        self.presence("alice", "<item role='participant' jid='alice@example.org/pda'/>")
        self.presence("carol", "<item role='participant'/>")
        self.presence("bot", "<status code='110'/>")
        self.peer.feed(f"<message type='groupchat' from='{ROOM}'><subject/></message>")

    def hear(self, xml):
        self.heard.clear()
        self.peer.feed(xml)
        (message,) = self.heard
        return message


class MessagesTests(Hearing, unittest.TestCase):
    def test_machines(self):
        """A direct message of no client reaches no responder; a room's members are people."""
        self.join()
        for sender in ("example.org", "irc.example.org@gateway.example.org", ""):
            self.peer.feed(f"<message type='chat' from='{sender}'>{BODY}</message>")
        self.assertEqual((self.heard, self.messages.dropped["machine"]), ([], 3))
        self.hear(f"<message type='chat' {ALICE}>{BODY}</message>")

    def test_encrypted(self):
        """An encrypted text is marked as such, in private and in a room, whatever its hint says."""
        self.join()
        for child in (
            "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>",
            "<encrypted xmlns='urn:xmpp:omemo:2'/>",
            "<x xmlns='jabber:x:encrypted'>abc</x>",
            "<openpgp xmlns='urn:xmpp:openpgp:0'>abc</openpgp>",
            "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:otr:0'/>",
        ):
            for head in (f"type='groupchat' {ALICE}", "type='chat' from='bob@example.org/pda'"):
                self.assertTrue(self.hear(f"<message {head}>{BODY}{child}</message>").encrypted)
        self.assertFalse(self.hear(f"<message type='groupchat' {ALICE}>{BODY}</message>").encrypted)

    def test_chat(self):
        """What is said to us alone has the sender's bare JID as its identity."""
        message = self.hear(
            f"<message type='chat' id='1' from='Bob@example.org/pda'>{BODY}</message>"
        )
        self.assertEqual(
            evolve(message, key=None),
            Message(
                "bob@example.org/pda", str(JID), "hi", {"type": "chat", "id": "1"},
                identity="bob@example.org",
            ),
        )  # fmt: skip

    def test_room(self):
        """What is said in a room has the room, the nick, and the identity that the room shows."""
        self.join()
        for nick, identity, occupant in (
            ("alice", "alice@example.org", "1"), ("carol", None, "2"), ("nobody", None, None),
        ):  # fmt: skip
            message = self.hear(f"<message type='groupchat' from='{ROOM}/{nick}'>{BODY}</message>")
            self.assertEqual(
                message,
                Message(
                    f"{ROOM}/{nick}", str(JID), "hi", {"type": "groupchat"},
                    room=ROOM, nick=nick, identity=identity, occupant=occupant,
                    newcomer=occupant is None,
                ),
            )  # fmt: skip

    def test_private_message_through_a_room(self):
        """Who speaks through a room is who the room says; never the room's own bare JID."""
        self.join()
        for kind in "chat", "normal":
            for nick, identity in (("alice", "alice@example.org"), ("carol", None)):
                message = self.hear(f"<message type='{kind}' from='{ROOM}/{nick}'>{BODY}</message>")
                self.assertEqual(
                    (message.room, message.nick, message.identity, message.payload["type"]),
                    (ROOM, nick, identity, kind),
                )
                self.assertFalse(message.delayed)
                self.assertEqual(reply_to(message, "x").recipient, f"{ROOM}/{nick}")

    def test_echo(self):
        """Our own words are marked: by our nick in a room, by our bare JID elsewhere."""
        self.join()
        table = {
            f"type='groupchat' from='{ROOM}/bot'": True,
            f"type='groupchat' {ALICE}": False,
            f"type='groupchat' from='{ROOM}/Bot'": False,
            "type='chat' from='xbot@example.org/x'": True,
            "type='chat' from='XBot@Example.org/other'": True,
            "type='chat' from='xbot@example.net/x'": False,
            f"type='chat' from='{ROOM}/bot'": True,
        }
        for attributes, echo in table.items():
            message = self.hear(f"<message {attributes}>{BODY}</message>")
            self.assertIs(message.echo, echo, attributes)

    def test_history(self):
        """Until the room is caught up all that is said there is the past, marked or not."""
        delay = "<delay xmlns='urn:xmpp:delay'/>"
        for kind in "groupchat", "chat":
            self.assertTrue(self.hear(f"<message type='{kind}' {ALICE}>{BODY}</message>").delayed)
        self.presence("bot", "<status code='110'/>")
        text = f"<message type='groupchat' {ALICE}>{BODY}</message>"
        self.assertTrue(self.hear(text).delayed)
        self.peer.feed(f"<message type='groupchat' {ALICE}><subject>x</subject></message>")
        self.assertFalse(self.hear(text).delayed)
        self.assertTrue(self.hear(text.replace(BODY, BODY + delay)).delayed)
        self.presence("bot", "<status code='110'/><status code='307'/>", "type='unavailable'")
        self.assertTrue(self.hear(text).delayed)

    def test_nick_changes_hands(self):
        """A nick that somebody else takes does not bring the rights of its former holder."""
        self.join()
        self.presence("alice", "<status code='303'/><item nick='al'/>", "type='unavailable'")
        self.presence("alice", "<item role='participant'/>")
        self.assertIsNone(self.hear(f"<message type='groupchat' {ALICE}>{BODY}</message>").identity)

    def test_dropped(self):
        """What speaks to nobody is counted by its reason, and goes no further."""
        self.join()
        table = {
            f"<message type='groupchat' from='other@muc.example.org/a'>{BODY}</message>": (
                "unknown-room"
            ),
            f"<message type='groupchat' from='{ROOM}'>{BODY}</message>": "room-notice",
            f"<message type='chat' from='{ROOM}'>{BODY}</message>": "room-notice",
            f"<message type='error' {ALICE}>{BODY}</message>": "error",
            "<message type='chat' from='a@b'><subject>x</subject></message>": "no-body",
            "<message from='@'><body>x</body></message>": "bad-sender",
            f"<message from='{ROOM}'><x xmlns='http://jabber.org/protocol/muc#user'>"
            "<invite from='a@b'/></x></message>": "invitation",
        }
        for xml, reason in table.items():
            before = self.messages.dropped[reason]
            self.peer.feed(xml)
            self.assertEqual(self.messages.dropped[reason], before + 1, xml)
        self.assertEqual(self.heard, [])

    def test_a_subject_with_a_body(self):
        """It is a message, and does not end the history (XEP-0045, section 8.1)."""
        self.presence("bot", "<status code='110'/>")
        both = f"<message type='groupchat' {ALICE}>{BODY}<subject>x</subject></message>"
        self.assertTrue(self.hear(both).delayed)
        self.assertTrue(self.hear(both.replace(BODY, "<body/>")).delayed)
        self.peer.feed(both.replace(BODY, ""))
        for text in both, both.replace("<subject>", "<a xmlns='u'/><subject>"):
            message = self.hear(text)
            self.assertEqual((message.body, message.delayed), ("hi", False))

    def test_subjects_are_no_messages(self):
        """A subject, in a room of ours or in another, is never heard."""
        self.join()
        self.peer.feed(f"<message type='groupchat' {ALICE}><subject>!quit</subject></message>")
        self.peer.feed("<message type='groupchat' from='x@y/z'><subject>!quit</subject></message>")
        self.assertEqual(self.heard, [])
        self.assertEqual(dict(self.messages.dropped), {"unknown-room": 1})


class ForgedTests(Hearing, unittest.TestCase):
    def test_what_others_say_in_other_names(self):
        """Carbons, archive results and forwarded messages say nothing, whoever sends them."""
        inner = (
            "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' type='chat'"
            f" from='alice@example.org/pda'>{BODY}</message></forwarded>"
        )
        wrapped = (
            f"<received xmlns='urn:xmpp:carbons:2'>{inner}</received>",
            f"<sent xmlns='urn:xmpp:carbons:2'>{inner}</sent>",
            f"<result xmlns='urn:xmpp:mam:2' queryid='q' id='1'>{inner}</result>",
            inner,
        )
        for sender in ("mallory@example.org/x", f"{ROOM}/alice", str(JID.bare), JID.domain):
            for content in wrapped:
                self.peer.feed(f"<message from='{sender}' type='chat'>{content}</message>")
        self.assertEqual(self.heard, [])
        self.assertEqual(self.messages.dropped["no-body"], 16)

    def test_a_body_beside_a_forged_carbon(self):
        """What counts is what the sender says itself, under its own name."""
        message = self.hear(
            "<message from='mallory@example.org/x' type='chat'><body>mine</body>"
            "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
            f"<message xmlns='jabber:client' from='alice@example.org/pda'>{BODY}</message>"
            "</forwarded></received></message>"
        )
        self.assertEqual((message.identity, message.body), ("mallory@example.org", "mine"))


class KeyTests(Hearing, unittest.TestCase):
    def key(self, content, stanza_from=ALICE):
        return self.hear(f"<message type='groupchat' {stanza_from}{content}</message>").key

    def test_trusted_stanza_id(self):
        """The room's own stanza id tells a message from all others; anyone else's does not."""
        self.join()
        sid = "<stanza-id xmlns='urn:xmpp:sid:0' id='s1' by='{}'/>"
        trusted = self.key(f" id='1'>{BODY}{sid.format(ROOM)}")
        self.assertEqual(trusted, self.key(f" id='2'><body>x</body>{sid.format(ROOM)}"))
        forged = self.key(f" id='1'>{BODY}{sid.format('room@other.example')}")
        self.assertEqual(forged, self.key(f" id='1'>{BODY}"))
        twice = self.key(f" id='1'>{BODY}{sid.format(ROOM)}{sid.format(ROOM)}")
        self.assertEqual(twice, forged)
        self.assertNotEqual(trusted, forged)

    def test_the_senders_ids(self):
        """Without one, the sender, its id and the words together do; without ids nothing does."""
        self.join()
        origin = "<origin-id xmlns='urn:xmpp:sid:0' id='{}'/>"
        keys = [
            self.key(f" id='1'>{BODY}"),
            self.key(f" id='2'>{BODY}"),
            self.key(" id='1'><body>other</body>"),
            self.key(f" id='1'>{BODY}", f"from='{ROOM}/carol'"),
            self.key(f" id='1'>{BODY}{origin.format('o')}"),
        ]
        self.assertEqual(len(set(keys)), len(keys))
        self.assertEqual(keys[4], self.key(f" id='9'>{BODY}{origin.format('o')}"))
        self.assertIsNone(self.key(f">{BODY}"))


class ResendTests(Hearing, unittest.TestCase):
    """How long a key counts, and which duplicates are expected."""

    SID = f"<stanza-id xmlns='urn:xmpp:sid:0' id='s1' by='{ROOM}'/>"
    DELAY = "<delay xmlns='urn:xmpp:delay' from='example.org' stamp='1970-01-01T00:00:00Z'/>"

    def lasts(self, more=""):
        """Of a message in the room, and of one to us alone."""
        return [
            (message.key_lasts, message.live)
            for message in (
                self.hear(f"<message type='groupchat' id='1' {ALICE}>{BODY}{more}</message>"),
                self.hear(f"<message type='chat' id='1' from='a@b/c'>{BODY}{more}</message>"),
            )
        ]

    def test_fresh_stream(self):
        """A sender's id lasts while a resend is possible, the room's and a delayed one's forever.

        A stanza id that claims to be the room's does not count outside the room.
        """
        self.join()
        window = self.messages.resume_max_age + RESEND_MARGIN
        self.assertEqual(self.lasts(), [(window, True)] * 2)
        self.assertEqual(self.lasts(self.SID), [(None, True), (window, True)])
        self.assertEqual(self.lasts(self.DELAY), [(None, False)] * 2)

    def test_resumed_stream(self):
        """What comes soon after a resumption may be a resend, with a delay or without."""
        self.join()
        self.peer.stream.is_resumed = True
        # It watches this stream already.
        self.patch(self.messages, "watch", lambda *_: None)
        self.messages.observe()
        window = self.messages.resume_max_age + RESEND_MARGIN
        self.assertEqual(self.lasts(), [(None, False)] * 2)
        self.assertEqual(self.lasts(self.DELAY), [(None, False)] * 2)
        self.clock.advance(window - 0.5)
        self.assertEqual(self.lasts(), [(None, False)] * 2)
        self.clock.advance(0.5)
        self.assertEqual(self.lasts(), [(window, True)] * 2)
        self.assertEqual(self.lasts(self.DELAY), [(None, False)] * 2)

    def test_past(self):
        """History that bears no delay is not live."""
        self.assertFalse(
            self.hear(f"<message type='groupchat' id='1' {ALICE}>{BODY}</message>").live
        )


class IdentityTests(Hearing, unittest.TestCase):
    """Senders cannot be forged, in a room or through it."""

    def identities(self, nick="alice"):
        """Who ``nick`` is, in the room and in private."""
        return {
            self.hear(f"<message type='{kind}' from='{ROOM}/{nick}'>{BODY}</message>").identity
            for kind in ("groupchat", "chat", "normal")
        }

    def test_an_absent_admins_nick(self):
        """Who takes the nick of one who left has the own identity, or none."""
        self.join()
        self.assertEqual(self.identities(), {"alice@example.org"})
        self.presence("alice", "<item/>", "type='unavailable'")
        self.assertEqual(self.identities(), {None})
        self.presence("alice", "<item role='participant' jid='mallory@example.net/x'/>")
        self.assertEqual(self.identities(), {"mallory@example.net"})

    def test_a_nick_taken_by_a_rename(self):
        """Neither a rename away nor one into a nick hands an identity on."""
        self.join()
        self.presence("alice", "<status code='303'/><item nick='al'/>", "type='unavailable'")
        self.presence("carol", "<status code='303'/><item nick='alice'/>", "type='unavailable'")
        self.assertEqual(self.identities(), {None})
        self.assertEqual(self.identities("al"), {"alice@example.org"})

    def test_homographs(self):
        """A nick that looks like another is another."""
        self.join()
        for nick in "\u0430lice", "Alice", "alice\u200b", "alice ", "\uff41lice", "ali\u0441e":
            self.presence(nick, "<item role='participant'/>")
            self.assertEqual(self.identities(nick), {None}, nick)

    def test_two_items(self):
        """A presence that names two people names nobody."""
        self.join()
        self.presence("mallory", "<item jid='mallory@example.net'/><item jid='alice@example.org'/>")
        self.assertEqual(self.identities("mallory"), {None})

    def test_a_presence_that_cannot_be_read(self):
        """Who could make us drop the own presence is nobody, whatever nick it is."""
        self.join()
        self.presence("alice", "", "type='unavailable'")
        self.peer.feed(f"<presence {ALICE}><x xmlns='a b'/></presence>")
        self.assertEqual(self.identities(), {None})

    def test_no_item(self):
        """A presence that tells nothing of its occupant takes what was known."""
        self.join()
        self.peer.feed(f"<presence {ALICE}><status xml:lang='en'>x</status></presence>")
        self.assertEqual(self.identities(), {None})

    def test_a_room_that_we_leave(self):
        """Nobody there becomes the room itself, nor is heard, while we are on our way out."""
        self.join()
        self.rooms.leave(Jid.parse(ROOM))
        message = self.hear(f"<message type='chat' {ALICE}>{BODY}</message>")
        self.assertEqual((message.identity, message.delayed, message.room), (None, True, ROOM))

    def test_after_a_return(self):
        """No identity outlives our stay."""
        self.join()
        self.presence("bot", "<status code='110'/><status code='307'/>", "type='unavailable'")
        self.assertEqual(self.identities(), {None})
