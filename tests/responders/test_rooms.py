"""Tests of the ``rooms`` responder."""

from tests.responders.talk import ALICE, BOB, ROOM, Talk, bundled
from xbot.model.access import Access

OTHER = "lounge@rooms.example.org"


class RoomsTests(Talk):
    def setUp(self) -> None:
        super().setUp()
        self.begin(bundled("rooms"))

    def test_join_and_leave(self) -> None:
        """Who may tells the bot where to be; that is noted with the name, and forgotten again."""
        self.assertEqual(
            self.say(f"join {OTHER} as robo the bot"),
            [f"I am on my way to {OTHER}; 'rooms' tells how that goes."],
        )
        self.assertEqual(self.adapter.ordered, {OTHER: ALICE})
        self.assertEqual(self.say("rooms"), [f"{ROOM} as xbot\n{OTHER} as robo the bot"])
        self.assertEqual(self.say(f"leave {OTHER}"), [f"I left {OTHER}."])
        self.assertEqual(self.adapter.ordered, {})
        self.assertEqual(self.say(f"leave {OTHER}"), [f"I am not in {OTHER}."])

    def test_others(self) -> None:
        """Whom the ini does not name is refused."""
        for text in (f"join {OTHER}", f"leave {ROOM}", "rooms"):
            self.clock.advance(60)
            self.assertEqual(self.say(text, BOB), ["rooms is not for you, bob."])
            self.assertIn("I cannot see here who you are", self.say(text, None)[0])
        self.assertEqual(self.adapter.rooms, {ROOM: "xbot"})

    def test_refusals(self) -> None:
        """What is no room, stands in the ini, or is one too many is told."""
        for text, answer in (
            (f"leave {ROOM}", f"{ROOM} stands in my ini: take it out there and reload."),
            (f"join {ROOM.upper()}", f"{ROOM} stands in my ini; that says what I do there."),
            ("join rooms.example.org", "'rooms.example.org' is no room"),
            (f"join {OTHER}/robo", f"'{OTHER}/robo' is no room"),
            ("join a@@b", "'a@@b' is no room"),
            (f"join {OTHER} as \u0007", "'\\x07' is no nick"),
        ):
            (said,) = self.say(text)
            self.assertTrue(said.startswith(answer), said)
        for number in range(3):
            self.say(f"join {number}@rooms.example.org")
        self.assertEqual(
            self.say(f"join {OTHER}"),
            ["I am in 3 rooms already, besides those of the ini; have me leave one first."],
        )

    def test_without_identity(self) -> None:
        """Where a room word lets in somebody unseen, the bot is sent nowhere by nobody."""
        self.end()
        self.begin(bundled("rooms", Access()))
        self.assertIn("I cannot see who you are", self.say(f"join {OTHER}", None)[0])
        self.assertEqual(self.adapter.ordered, {})
