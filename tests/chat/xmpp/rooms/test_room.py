"""The state machine of one room: join, stay, leave, rejoin."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial import unittest

from tests.chat.xmpp.harness import lowest, parse, shape
from xbot.chat.xmpp.rooms.join_queue import JoinQueue
from xbot.chat.xmpp.rooms.room import (
    FIRST_RARE_RETRY,
    FIRST_RETRY,
    JOIN_TIMEOUT,
    LAST_RARE_RETRY,
    LAST_RETRY,
    MAX_NICKS,
    STAY,
    SUBJECT_TIMEOUT,
    Room,
    RoomEnvironment,
    State,
)
from xbot.chat.xmpp.stanzas import occupants as occupants_module
from xbot.chat.xmpp.stanzas.presence import read_presence
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.nodes import node_of
from xbot.config.settings import RoomSettings, Secret
from xbot.model.jid import Jid

ROOM = Jid.parse("room@muc.example.org")
SELF = "<status code='110'/>"
ITEM = "<item role='participant' affiliation='member' jid='{}@example.org/pda'/>"


class RoomTestCase(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.sent, self.pinged, self.answers, self.joined, self.left = [], [], [], [], []
        self.connected = True
        self.room = self.make()

    def make(self, nick="bot", **settings):
        environment = RoomEnvironment(
            self.sent.append, self.ping, self.clock, lowest, JoinQueue(),
            is_connected=lambda: self.connected, joined=self.joined.append, left=self.left.append,
        )  # fmt: skip
        return Room(RoomSettings(ROOM, nick, **settings), environment)

    def ping(self, address):
        self.pinged.append(address)
        self.answers.append(Deferred())
        return self.answers[-1]

    def presence(self, nick, content="", kind="", room=None):
        """A presence of this occupant arrives."""
        stanza = parse(
            f"<presence {kind}><x xmlns='http://jabber.org/protocol/muc#user'>{content}</x>"
            "</presence>"
        )
        (room or self.room).got_presence(read_presence(node_of(stanza), nick))

    def identity(self, nick, room=None):
        """The real bare JID that the room shows of this occupant, if it does."""
        occupant = (room or self.room).occupants.get(nick)
        return occupant and occupant.identity

    def gone(self, nick, content=""):
        self.presence(nick, content, "type='unavailable'")

    def refuse(self, condition, nick="bot"):
        stanza = parse(
            f"<presence type='error'><error type='cancel'><{condition}"
            " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"
        )
        self.room.got_presence(read_presence(node_of(stanza), nick))

    def join(self, nick="bot"):
        self.room.enter()
        self.presence(nick, SELF + ITEM.format("xbot"))
        self.assertIs(self.room.state, State.JOINED)

    def removed(self, *codes, more=""):
        self.gone(self.room.nick, SELF + "".join(f"<status code='{c}'/>" for c in codes) + more)

    def assert_rarely(self, never):
        """The room is tried again in a quarter of an hour, or never."""
        waits = [each.getTime() - self.clock.seconds() for each in self.clock.getDelayedCalls()]
        self.assertEqual(waits, [] if never else [FIRST_RARE_RETRY])
        self.assertEqual(self.room.status.next_try is None, never)

    def assert_nothing_soon(self):
        """The room waits for nothing but a long silence."""
        (call,) = self.clock.getDelayedCalls()
        self.assertGreater(call.getTime() - self.clock.seconds(), 200)

    def wait(self):
        """Seconds until the room does something by itself; it does it."""
        (call,) = self.clock.getDelayedCalls()
        seconds = call.getTime() - self.clock.seconds()
        self.sent.clear()
        self.clock.advance(seconds)
        return seconds


class JoiningTests(RoomTestCase):
    def test_wish(self):
        """Joining asks for no history, in both of the ways, and names the password if any."""
        history = (ns.MUC, "history", {"maxchars": "0", "maxstanzas": "0"}, [])
        password = (ns.MUC, "password", {}, ["<s3cret>"])
        for settings, children in (
            ({}, [history]),
            ({"password": Secret("<s3cret>")}, [password, history]),
        ):
            self.sent.clear()
            self.make(**settings).enter()
            (presence,) = self.sent
            self.assertEqual(
                shape(presence),
                (
                    ns.CLIENT,
                    "presence",
                    {"to": "room@muc.example.org/bot"},
                    [(ns.MUC, "x", {}, children)],
                ),
            )

    def test_joined_on_the_self_presence_only(self):
        """Status 110 says that we are in; no other presence does."""
        self.room.enter()
        for nick, content, kind in (
            ("alice", ITEM.format("alice"), ""),
            ("bot", ITEM.format("mallory"), ""),
            ("bot", "<status code='100'/>", ""),
            (None, "", ""),
            ("bot", SELF, "type='unavailable'"),
            ("bot", SELF + "<status code='307'/>", "type='unavailable'"),
        ):
            self.presence(nick, content, kind)
            self.assertIs(self.room.state, State.JOINING, content)
        self.presence("bot", SELF)
        self.assertIs(self.room.state, State.JOINED)
        self.assertEqual(sorted(self.room.occupants), ["alice", "bot"])

    def test_another_nick(self):
        """A room that gives us another nick is believed: status 210, or 110 alone."""
        for more in "<status code='210'/>", "":
            self.room.enter()
            self.presence("bot-7", SELF + more)
            self.assertIs(self.room.state, State.JOINED)
            self.assertEqual(self.room.nick, "bot-7")
            self.room.session_lost()

    def test_conflict(self):
        """A nick that is taken gets underscores; in the end we wait, and begin anew."""
        self.room.enter()
        for number in range(MAX_NICKS):
            self.assertEqual(self.sent[-1]["to"], "room@muc.example.org/bot" + "_" * number)
            self.refuse("conflict", "bot" + "_" * number)
        self.assertEqual(len(self.sent), MAX_NICKS)
        self.assertIs(self.room.state, State.ABSENT)
        self.assertEqual(self.wait(), FIRST_RETRY)
        self.assertEqual(self.sent[-1]["to"], "room@muc.example.org/bot")

    def test_final_refusals(self):
        """What only a person can change says what it is, and is tried again rarely."""
        for condition, reason in {
            "forbidden": "banned",
            "registration-required": "members",
            "not-authorized": "password",
            "not-allowed": "create",
            "jid-malformed": "nick",
            "gone": "gone",
        }.items():
            self.setUp()
            self.room.enter()
            self.refuse(condition)
            self.assertIs(self.room.state, State.REFUSED, condition)
            self.assertIn(reason, self.room.reason)
            self.assert_rarely(never=condition == "gone")
            self.presence("bot", SELF)
            self.assertIs(self.room.state, State.REFUSED)
            self.room.session_lost()
            self.room.enter()
            self.assertIs(self.room.state, State.JOINING)

    def test_rare_retries(self):
        """A refusal that only a person can change is asked about ever later, up to the bound."""
        self.room.enter()
        waits = []
        for _ in range(7):
            self.refuse("registration-required")
            waits.append(self.wait())
            self.assertIs(self.room.state, State.JOINING)
        self.assertEqual(waits[:2], [FIRST_RARE_RETRY, 2 * FIRST_RARE_RETRY])
        self.assertEqual(waits[-1], waits[-2])
        self.assertLessEqual(waits[-1], LAST_RARE_RETRY)
        self.presence("bot", SELF)
        self.assertIs(self.room.state, State.JOINED)
        self.removed("321")
        self.assert_rarely(never=False)

    def test_asked_again(self):
        """A room that refused us is asked at once where a person has reason to; no other is."""
        self.room.enter()
        self.refuse("forbidden")
        self.room.ask_again("invited")
        self.assertIs(self.room.state, State.JOINING)
        self.presence("bot", SELF)
        self.sent.clear()
        self.room.ask_again("invited")
        self.assertEqual((self.room.state, self.sent), (State.JOINED, []))

    def test_other_refusals(self):
        """Any other refusal is tried again, ever later, up to the bound."""
        for condition in "service-unavailable", "remote-server-timeout", "resource-constraint":
            self.setUp()
            delays = []
            self.room.enter()
            for _ in range(10):
                self.refuse(condition)
                self.assertIs(self.room.state, State.ABSENT)
                delays.append(self.wait())
            self.assertEqual(delays[:4], [FIRST_RETRY, 4, 8, 16])
            self.assertEqual(delays[-1], LAST_RETRY / 2)

    def test_no_answer(self):
        """A room that does not answer is asked again."""
        self.room.enter()
        self.assertEqual(self.wait(), JOIN_TIMEOUT)
        self.assertIs(self.room.state, State.ABSENT)
        self.assertEqual(self.wait(), FIRST_RETRY)
        self.assertEqual(len(self.sent), 1)
        self.assertIs(self.room.state, State.JOINING)

    def test_odd_nicks(self):
        """Quotes, markup, slashes and new emoji in nicks, ours and others', are no matter."""
        for nick in "o'brien", 'a"b', "a/b", "<x/>", "\U0001fae0", "x]", "Bot", "\u202ebot":
            room = self.make(nick)
            room.enter()
            self.assertEqual(self.sent[-1]["to"], f"room@muc.example.org/{nick}")
            self.presence(nick + "x", ITEM.format("alice"), room=room)
            self.assertIs(room.state, State.JOINING)
            self.presence(nick, SELF, room=room)
            self.assertIs(room.state, State.JOINED)
            self.assertEqual(room.nick, nick)
            self.assertEqual(self.identity(nick + "x", room), "alice@example.org")


class RemovalTests(RoomTestCase):
    def test_for_good(self):
        """A removal that only a person can undo is told and not answered by a return."""
        for codes, more, reason in (
            (("301",), "", "we were banned"),
            (("301", "307"), "<item><reason>spam</reason></item>", "we were banned (spam)"),
            (("321",), "", "we are no longer a member"),
            (("322",), "", "it is now for members only"),
            ((), "<destroy/>", "the room was destroyed"),
            (
                (),
                "<destroy jid='new@muc.example.org'><reason>full</reason></destroy>",
                "the room was destroyed; it moved to new@muc.example.org (full)",
            ),
        ):
            self.setUp()
            self.join()
            self.removed(*codes, more=more)
            self.assertIs(self.room.state, State.REFUSED, reason)
            self.assertEqual(self.room.reason, reason)
            self.assertEqual(len(self.room.occupants), 0)
            self.assertFalse(self.room.caught_up)
            self.assert_rarely(never="destroyed" in reason)

    def test_for_now(self):
        """After any other removal we come back."""
        for codes, reason in (
            (("307",), "we were kicked"),
            (("332",), "the room service shuts down"),
            (("333", "307"), "the service had a problem"),
            (("333",), "the service had a problem"),
        ):
            self.setUp()
            self.join()
            self.removed(*codes)
            self.assertIs(self.room.state, State.ABSENT)
            self.assertIn(reason, self.room.reason)
            self.assertEqual(self.wait(), FIRST_RETRY)
            self.assertIs(self.room.state, State.JOINING)

    def test_without_a_word(self):
        """Removed for no reason that is told, we come back at once, but not again and again."""
        for delay in 0.0, 4.0, 8.0:
            self.join()
            self.removed()
            self.assertIs(self.room.state, State.ABSENT)
            self.assertEqual(self.room.reason, "we were removed")
            self.assertEqual(self.wait(), delay)
            self.assertIs(self.room.state, State.JOINING)
        self.join()
        self.clock.advance(STAY)
        self.removed()
        self.assertEqual(self.wait(), 0.0)

    def test_without_status_110(self):
        """The end of our own nick is our end, also where the room forgets status 110."""
        for more, state in (
            ("<destroy/>", State.REFUSED),
            ("<status code='301'/>", State.REFUSED),
            ("<status code='307'/>", State.ABSENT),
            ("", State.ABSENT),
        ):
            self.setUp()
            self.join()
            self.gone("bot", more)
            self.assertIs(self.room.state, state, more)

    def test_the_room_itself(self):
        """A destruction counts when the room itself tells it, not when an occupant does."""
        self.join()
        self.presence("alice", ITEM.format("alice"))
        self.gone("alice", "<destroy/>")
        self.gone(None)
        self.assertIs(self.room.state, State.JOINED)
        self.gone(None, "<destroy/>")
        self.assertIs(self.room.state, State.REFUSED)

    def test_kicked_again_and_again(self):
        """Who is kicked at each return returns ever later; a stay makes it a first time again."""
        delays = []
        self.join()
        for _ in range(4):
            self.removed("307")
            delays.append(self.wait())
            self.presence("bot", SELF)
        self.assertEqual(delays, [2, 4, 8, 16])
        self.clock.advance(STAY)
        self.removed("307")
        self.assertEqual(self.wait(), 2)

    def test_errors_while_joined(self):
        """An error from the room while we are in it removes nobody."""
        self.join()
        self.refuse("forbidden")
        self.assertIs(self.room.state, State.JOINED)


class CaughtUpTests(RoomTestCase):
    def test_self_presence_and_subject(self):
        """Only after the self-presence, and then the subject, is what is said the present."""
        self.room.enter()
        self.room.got_subject()
        self.presence("bot", SELF)
        self.assertFalse(self.room.caught_up)
        self.room.got_subject()
        self.assertTrue(self.room.caught_up)
        self.assert_nothing_soon()

    def test_without_a_subject(self):
        """A room that sends no subject is caught up after a while."""
        self.join()
        self.clock.advance(SUBJECT_TIMEOUT - 0.1)
        self.assertFalse(self.room.caught_up)
        self.clock.advance(0.1)
        self.assertTrue(self.room.caught_up)
        self.assert_nothing_soon()

    def test_again(self):
        """Each return has its own past."""
        self.join()
        self.room.got_subject()
        self.removed("307")
        self.room.got_subject()
        self.assertFalse(self.room.caught_up)
        self.wait()
        self.room.got_subject()
        self.presence("bot", SELF)
        self.assertFalse(self.room.caught_up)

    def test_a_second_self_presence(self):
        """A self-presence while we are in (a new role, say) makes nothing the past again."""
        self.join()
        self.room.got_subject()
        self.presence("bot", SELF + ITEM.format("xbot"))
        self.assertTrue(self.room.caught_up)


class InformationTests(RoomTestCase):
    def test_codes_that_tell_of_the_room(self):
        """What tells of the room's settings (XEP-0045 15.6.2), or of nothing, changes nothing."""
        self.join()
        self.room.got_subject()
        self.presence("alice", ITEM.format("alice"))
        self.sent.clear()
        for code in (*range(100, 105), *range(170, 175), 0, 211, 999, "", "x", "110 301"):
            status = f"<status code='{code}'/>"
            self.presence("bot", SELF + ITEM.format("xbot") + status)
            self.presence("alice", ITEM.format("alice") + status)
            self.presence(None, status)
            self.assertIs(self.room.state, State.JOINED, code)
            self.assertEqual((self.room.nick, self.room.caught_up, self.sent), ("bot", True, []))
            self.assertEqual(self.identity("alice"), "alice@example.org")

    def test_codes_of_an_end_where_nothing_ends(self):
        """A code that tells of an end does not, in a presence of somebody who is there."""
        self.join()
        for code in 301, 303, 307, 321, 322, 332, 333:
            status = f"<status code='{code}'/>"
            self.presence("bot", SELF + ITEM.format("xbot") + status)
            self.presence("alice", ITEM.format("alice") + status)
            self.assertIs(self.room.state, State.JOINED, code)
            self.assertEqual(self.room.nick, "bot")
            self.assertEqual(self.identity("alice"), "alice@example.org")


class OccupantTests(RoomTestCase):
    def test_come_and_go(self):
        """The table holds who is there, with the real JID where it is shown."""
        self.join()
        self.presence("alice", ITEM.format("alice"))
        self.presence("bob", "<item role='visitor' affiliation='none'/>")
        self.assertEqual(self.identity("alice"), "alice@example.org")
        for nobody in "bob", "Alice", "carol", "", None:
            self.assertIsNone(self.identity(nobody))
        self.gone("alice")
        self.assertIsNone(self.identity("alice"))

    def test_put_out(self):
        """Who is kicked, banned or put out in whatever way is there no more; we stay."""
        codes = "301", "307", "321", "322", "332", "333", "307'/><status code='333"
        self.join()
        for code in codes:
            self.presence("alice", ITEM.format("alice"))
            self.gone("alice", f"<item role='none' affiliation='none'/><status code='{code}'/>")
            self.assertEqual(list(self.room.occupants), ["bot"], code)
        self.assertIs(self.room.state, State.JOINED)

    def test_a_netsplit(self):
        """Many go at once, and come back, some of them under the nick of another."""
        self.join()
        for _ in range(3):
            for name in "abc":
                self.presence(name, ITEM.format(name))
            for name in "abc":
                self.gone(name, "<item role='none' affiliation='none'/><status code='333'/>")
                self.assertIsNone(self.identity(name))
            for nick, name in ("a", "b"), ("b", "c"):
                self.presence(nick, ITEM.format(name))
                self.assertEqual(self.identity(nick), f"{name}@example.org")
            self.assertIsNone(self.identity("c"))

    def test_a_change_of_role(self):
        """A new role or affiliation counts at once, be it of somebody's, be it ours."""
        self.join()
        for nick in "alice", "bot":
            for role, affiliation in ("moderator", "owner"), ("visitor", "none"), ("none", "admin"):
                item = f"<item role='{role}' affiliation='{affiliation}' jid='a@example.org/x'/>"
                self.presence(nick, item + (SELF if nick == "bot" else ""))
                occupant = self.room.occupants.get(nick)
                self.assertEqual((occupant.role, occupant.affiliation), (role, affiliation))

    def test_nick_changes_hands(self):
        """A nick hands no identity on: neither by a rename, nor by a presence that tells less."""
        self.join()
        self.presence("alice", ITEM.format("alice"))
        self.gone("alice", "<item nick='al'/><status code='303'/>")
        self.presence("al", ITEM.format("alice"))
        self.assertIsNone(self.identity("alice"))
        self.assertEqual(self.identity("al"), "alice@example.org")
        for content in "", "<item/>", ITEM.format("alice") * 2:
            self.presence("alice", ITEM.format("alice"))
            self.presence("alice", content)
            self.assertIsNone(self.identity("alice"), content)
        self.presence("alice", ITEM.format("mallory"))
        self.assertEqual(self.identity("alice"), "mallory@example.org")

    def test_renamed_ourselves(self):
        """When we are renamed we stay, under the new nick."""
        for mark in SELF, "":
            self.setUp()
            self.join()
            self.room.got_subject()
            self.gone("bot", mark + "<item nick='robot'/><status code='303'/>")
            self.assertIs(self.room.state, State.JOINED)
            self.presence("robot", SELF)
            self.assertEqual(self.room.nick, "robot")
            self.assertEqual(list(self.room.occupants), ["robot"])
            self.assertTrue(self.room.caught_up)

    def test_bounded(self):
        """Beyond the bound nobody new is known, and so nobody new has rights."""
        self.patch(occupants_module, "MAX_OCCUPANTS", 3)
        self.join()
        for nick in "abcd":
            self.presence(nick, ITEM.format(nick))
        self.assertEqual(list(self.room.occupants), ["bot", "a", "b"])
        self.presence("a", ITEM.format("x"))
        self.assertEqual(self.identity("a"), "x@example.org")

    def test_a_new_room_is_opened(self):
        """A room that our joining made is unlocked by accepting its default configuration."""
        self.room.enter()
        self.presence("bot", SELF + "<status code='201'/>")
        iq = self.sent[-1]
        self.assertEqual((iq.name, iq["type"], iq["to"]), ("iq", "set", str(self.room.jid)))
        query = iq.firstChildElement()
        self.assertEqual((query.uri, query.x.uri), (ns.MUC_OWNER, ns.DATA_FORM))
        self.assertEqual(query.x["type"], "submit")

    def test_what_is_told_at_the_join(self):
        """A room that we made is told, and one that hides real addresses from us."""
        hidden, made = "hides real addresses", "was not there; we made it"
        moderator = "<item role='moderator'/>"
        for codes, item, told in (
            ("<status code='100'/>", "", []),
            ("", moderator, []),
            ("", "<item role='participant'/>", [hidden]),
            ("<status code='201'/>", moderator, [made]),
        ):
            self.setUp()
            self.room.enter()
            with capturedLogs() as events:
                self.presence("bot", SELF + codes + item)
            texts = [formatEvent(event) for event in events]
            self.assertEqual(
                [word for word in (hidden, made) if any(word in text for text in texts)], told
            )

    def test_a_late_welcome(self):
        """A self-presence that comes after we stopped waiting for it lets us in all the same."""
        self.room.enter()
        self.clock.advance(JOIN_TIMEOUT)
        self.assertIs(self.room.state, State.ABSENT)
        self.presence("bot", SELF)
        self.assertIs(self.room.state, State.JOINED)
        self.room.got_subject()
        self.assertTrue(self.room.caught_up)

    def test_session_lost(self):
        """With the session go the occupants, every timer and the delays."""
        for reach in (
            lambda: None,
            lambda: self.presence("bot", SELF),
            lambda: self.refuse("conflict"),
            lambda: self.refuse("internal-server-error"),
            lambda: self.refuse("forbidden"),
        ):
            self.setUp()
            self.room.enter()
            self.presence("alice", ITEM.format("alice"))
            reach()
            self.room.session_lost()
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertEqual(len(self.room.occupants), 0)
            self.assertIs(self.room.state, State.ABSENT)
            self.presence("bot", SELF)
            self.assertIs(self.room.state, State.ABSENT)

    def test_leave(self):
        """Leaving says goodbye where there is somebody to say it to, and stays away."""
        self.room.leave()
        self.assertEqual(self.sent, [])
        self.join("bot_")
        self.room.leave()
        self.assertEqual(
            shape(self.sent[-1]),
            (ns.CLIENT, "presence", {"to": "room@muc.example.org/bot_", "type": "unavailable"}, []),
        )
        self.gone("bot_", SELF)
        self.assertIs(self.room.state, State.ABSENT)
        self.assertEqual(self.clock.getDelayedCalls(), [])
