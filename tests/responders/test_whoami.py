"""Tests of the ``whoami`` responder."""

from attrs import evolve
from twisted.trial.unittest import TestCase

from xbot import Message
from xbot.responders.whoami import whoami

IN_ROOM = Message(
    "ops@rooms.example/alice",
    "ops@rooms.example/xbot",
    "whoami",
    payload={"type": "groupchat"},
    room="ops@rooms.example",
    nick="alice",
)


class WhoamiTests(TestCase):
    async def test_unknown(self) -> None:
        """Without an identity it says that it has none."""
        self.assertEqual(
            await whoami(IN_ROOM),
            "You are alice.\nYou write from ops@rooms.example/alice.\n"
            "I cannot see your real address.",
        )

    async def test_known(self) -> None:
        """In private it tells the real address."""
        message = Message("a@example.org/x", "xbot@example.org", "whoami", identity="a@example.org")
        self.assertEqual(
            await whoami(message),
            "You write from a@example.org/x.\nYour real address is a@example.org.",
        )

    async def test_not_told_to_a_room(self) -> None:
        """A real address that only the bot may see is not told to the whole room."""
        answer = await whoami(evolve(IN_ROOM, identity="a@example.org"))
        self.assertNotIn("a@example.org", answer)
        self.assertIn("I can see your real address", answer)
