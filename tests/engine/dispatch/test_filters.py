"""Tests of :mod:`xbot.engine.dispatch.filters`."""

from attrs import evolve
from twisted.trial.unittest import TestCase

from xbot.engine.dispatch.filters import may_answer, may_have_effects
from xbot.engine.dispatch.gates import reason_to_drop
from xbot.model.message import Message

SAID = Message(
    "ops@rooms.example/alice",
    "ops@rooms.example/xbot",
    "ping",
    payload={"type": "groupchat"},
    room="ops@rooms.example",
    nick="alice",
)


class ReasonToDropTests(TestCase):
    def test_live(self) -> None:
        """What someone says now is obeyed."""
        self.assertIsNone(reason_to_drop(SAID))

    def test_reasons(self) -> None:
        """The past, our echo, the room itself and blanks are not obeyed."""
        for changes, reason in (
            ({"delayed": True}, "delayed"),
            ({"echo": True}, "echo"),
            ({"sender": "ops@rooms.example", "nick": None}, "room"),
            ({"body": " \n"}, "empty"),
            ({"delayed": True, "echo": True, "body": ""}, "delayed"),
        ):
            self.assertEqual(reason_to_drop(evolve(SAID, **changes)), reason)


class MayHaveEffectsTests(TestCase):
    def test_types(self) -> None:
        """What stands outside a conversation is answered, and no more; so is nothing else."""
        for kind, may in (("chat", True), ("groupchat", True), ("normal", False)):
            self.assertEqual(may_have_effects(evolve(SAID, payload={"type": kind})), may)
        self.assertTrue(may_have_effects(evolve(SAID, payload={})), "of another adapter")


class MayAnswerTests(TestCase):
    def test_restricted_room(self) -> None:
        """A room's restriction holds there, in public and in private, and nowhere else."""
        rooms = {"ops@rooms.example": frozenset({"help"}), "b@rooms.example": None}
        private = evolve(SAID, payload={"type": "chat"})
        for message in (SAID, private):
            self.assertTrue(may_answer(rooms, message, "help"))
            self.assertFalse(may_answer(rooms, message, "ping"))
        for room in (None, "b@rooms.example", "c@rooms.example"):
            self.assertTrue(may_answer(rooms, evolve(SAID, room=room), "ping"))
