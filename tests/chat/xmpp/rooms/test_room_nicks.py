"""Nicks in a room: ours and those of others."""

from tests.chat.xmpp.harness import shape
from tests.chat.xmpp.rooms.test_room import ITEM, ROOM, SELF, RoomTestCase
from xbot.chat.xmpp.rooms.room import NICK_TIMEOUT, State
from xbot.chat.xmpp.wire import ns
from xbot.config.settings import RoomSettings, Secret

RENAME = "<item nick='{}'/><status code='303'/>"
WISH = (ns.CLIENT, "presence", {"to": "room@muc.example.org/bot"}, [])


class NickTestCase(RoomTestCase):
    def join_as_second(self):
        """We are bot_, for somebody else is bot."""
        self.room.enter()
        self.presence("bot", ITEM.format("other"))
        self.refuse("conflict")
        self.presence("bot", ITEM.format("other"))
        self.presence("bot_", SELF + ITEM.format("xbot"))
        self.room.got_subject()
        self.assertEqual(self.room.nick, "bot_")
        self.sent.clear()


class ReclaimTests(NickTestCase):
    def test_its_holder_leaves(self):
        """Our nick is asked for once its holder is gone, and we stay as we are until it is ours."""
        for content in "", "<status code='307'/>", RENAME.format("other"):
            self.setUp()
            self.join_as_second()
            self.gone("bot", content)
            self.assertEqual([shape(stanza) for stanza in self.sent], [WISH])
            self.assertEqual(self.room.nick, "bot_")
            self.gone("bot_", SELF + RENAME.format("bot"))
            self.presence("bot", SELF + ITEM.format("xbot"))
            self.assertEqual(self.room.nick, "bot")
            self.assertIs(self.room.state, State.JOINED)
            self.assertTrue(self.room.caught_up)
            self.assertNotIn("bot_", self.room.occupants)
            self.assertEqual(len(self.sent), 1)

    def test_somebody_was_faster(self):
        """A refused wish leaves us as we are, until the next holder leaves."""
        self.join_as_second()
        for _ in range(2):
            self.gone("bot")
            self.refuse("conflict")
            self.presence("bot", ITEM.format("mallory"))
            self.assertEqual((self.room.nick, self.room.state), ("bot_", State.JOINED))
        self.assertEqual(len(self.sent), 2)
        self.assertEqual(self.identity("bot"), "mallory@example.org")

    def test_once_at_a_time(self):
        """While the answer is due nothing is asked again, and nobody pings."""
        self.join_as_second()
        self.gone("bot")
        self.presence("bot", ITEM.format("other"))
        self.gone("bot")
        self.assertEqual(len(self.sent), 1)
        self.clock.advance(NICK_TIMEOUT)
        self.presence("bot", ITEM.format("other"))
        self.gone("bot")
        self.assertEqual(len(self.sent), 2)

    def test_its_holder_left_while_we_joined(self):
        """Nobody will tell us of a holder who left between the refusal and our entry."""
        self.room.enter()
        self.refuse("conflict")
        self.sent.clear()
        self.presence("bot_", SELF)
        self.assertEqual([shape(stanza) for stanza in self.sent], [WISH])

    def test_not_where_the_room_named_us(self):
        """Whom the room itself calls otherwise does not insist."""
        self.join()
        self.sent.clear()
        self.gone("bot", SELF + RENAME.format("bot-7"))
        self.presence("bot-7", SELF)
        self.assertEqual((self.room.nick, self.sent), ("bot-7", []))
        self.setUp()
        self.room.enter()
        self.sent.clear()
        self.presence("bot-7", SELF + "<status code='210'/>")
        self.assertEqual((self.room.nick, self.sent), ("bot-7", []))

    def test_others_who_leave(self):
        """Nobody else's end makes us ask: not who is called almost like us, not on our way out."""
        self.join_as_second()
        for nick in "Bot", "bot ", "b\u043ft", "b\u043et", "bot\u200b", "alice":
            self.presence(nick, ITEM.format("other"))
            self.gone(nick)
        self.room.leave()
        self.sent.clear()
        self.gone("bot")
        self.assertEqual(self.sent, [])

    def test_renamed_at_once(self):
        """Between the two presences of our new name, what we say is under the new one already."""
        self.join()
        self.gone("bot", SELF + "<item nick='robot' role='none'/><status code='303'/>")
        self.assertEqual(self.room.nick, "robot")
        self.assertEqual(self.identity("robot"), "xbot@example.org")


class OtherSettingsTests(NickTestCase):
    def change(self, nick="bot", **more):
        self.sent.clear()
        self.room.change(RoomSettings(ROOM, nick, **more))

    def test_another_nick(self):
        """Inside, another nick is asked for without leaving."""
        self.join()
        self.room.got_subject()
        self.change("robot")
        self.assertEqual(self.sent[0]["to"], f"{ROOM}/robot")
        self.gone("bot", SELF + RENAME.format("robot"))
        self.presence("robot", SELF)
        self.assertEqual((self.room.nick, self.room.caught_up), ("robot", True))

    def test_what_changes_nothing(self):
        """Inside, a password or other responders are for later."""
        self.join()
        self.change(password=Secret("x"), responders=frozenset("a"))
        self.assertEqual(self.sent, [])
        self.assertIs(self.room.state, State.JOINED)

    def test_while_joining(self):
        """A wish under way with another nick or password is taken back, and said anew."""
        self.room.enter()
        self.change()
        self.assertEqual(self.sent, [])
        self.change(password=Secret("x"))
        (goodbye,) = self.sent
        self.assertEqual(goodbye["type"], "unavailable")
        self.refuse("not-authorized")
        self.assertIs(self.room.state, State.JOINING)
        self.assertEqual(self.sent[-1].x.password.children, ["x"])
        self.assertEqual(self.left, [])

    def test_refused(self):
        """A room that refused us is tried again with other settings, or the same, said anew."""
        self.room.enter()
        self.refuse("not-authorized")
        self.change(password=Secret("x"))
        self.assertIs(self.room.state, State.JOINING)

    def test_while_leaving(self):
        """Who is wanted again while leaving comes back once outside."""
        self.join()
        self.room.leave()
        self.change()
        self.assertEqual(self.sent, [])
        self.gone("bot", SELF)
        self.assertIs(self.room.state, State.JOINING)
        self.assertEqual(self.left, [])


class OpaqueTests(NickTestCase):
    def test_homographs(self):
        """No two nicks that differ are one, however alike they look."""
        self.join()
        nicks = (
            "alice", "Alice", "\u0430lice", "alice\u200b", " alice", "al\u0131ce", "alic\u0435",
            "\uff41lice", "e\u0301", "\u00e9", "alice/x", "alice\u202e", "'", '"', "\U0001fae8",
        )  # fmt: skip
        for number, nick in enumerate(nicks):
            self.presence(nick, ITEM.format(f"p{number}"))
        for number, nick in enumerate(nicks):
            self.assertEqual(self.identity(nick), f"p{number}@example.org")
        self.gone("\u0430lice")
        self.assertEqual(self.identity("alice"), "p0@example.org")
        self.assertIsNone(self.identity("\u0430lice"))

    def test_a_nick_that_changes_hands_by_a_rename(self):
        """Who takes a nick by a rename brings the own identity, and leaves none behind."""
        self.join()
        self.presence("alice", ITEM.format("alice"))
        self.presence("mallory", ITEM.format("mallory"))
        self.gone("alice")
        self.gone("mallory", RENAME.format("alice"))
        self.assertEqual(self.identity("alice"), "mallory@example.org")
        self.presence("alice", "<item role='participant'/>")
        self.assertIsNone(self.identity("alice"))
        self.assertIsNone(self.identity("mallory"))

    def test_a_rename_to_no_nick(self):
        """A new nick that is none moves nobody."""
        self.join()
        for bad in "", "x" * 5000, "a&#10;b":
            self.presence("alice", ITEM.format("alice"))
            self.gone("alice", RENAME.format(bad))
            self.assertEqual(list(self.room.occupants), ["bot"])

    def test_the_longest_nick(self):
        """Where no underscore fits behind our nick, a conflict is waited out."""
        self.room = self.make("x" * 1023)
        self.room.enter()
        self.refuse("conflict", "x" * 1023)
        self.assertIs(self.room.state, State.ABSENT)
        self.wait()
        self.assertIs(self.room.state, State.JOINING)
