"""Tests of :mod:`xbot.chat.xmpp.rooms.bounces`: a bounced message is sent again, once."""

from twisted.trial import unittest

from xbot.chat.xmpp.rooms.bounces import MAX_KNOWN, MAX_ROOMS, Bounces
from xbot.model.message import Message

CONDITION = "not-acceptable"


def message(id: str, room: str = "one") -> Message:
    """Something said in a room."""
    return Message("", room, id, {"type": "groupchat", "id": id}, room=room)


class BouncesTests(unittest.TestCase):
    def setUp(self) -> None:
        self.again: list[str] = []
        self.bounces = Bounces(lambda message: self.again.append(message.body))

    def test_much_is_said_elsewhere(self) -> None:
        """However much is said in one room, what another sends back is said again."""
        self.bounces.sent("one", message("a"))
        for number in range(10 * MAX_KNOWN):
            self.bounces.sent("two", message(f"{number}", "two"))
        self.bounces.got("one", "a", CONDITION)
        self.assertEqual(self.again, ["a"])

    def test_bounded(self) -> None:
        """So many messages of a room are known, and so many rooms: the last ones."""
        for room in range(2 * MAX_ROOMS):
            for number in range(2 * MAX_KNOWN):
                self.bounces.sent(f"{room}", message(f"{number}"))
        sizes = [len(known) for known in self.bounces._known.values()]
        self.assertEqual(sizes, [MAX_KNOWN] * MAX_ROOMS)
        self.bounces.got("0", "1", CONDITION)
        self.bounces.got(f"{2 * MAX_ROOMS - 1}", "1", CONDITION)
        self.assertEqual(self.again, [])
        self.bounces.got(f"{2 * MAX_ROOMS - 1}", f"{2 * MAX_KNOWN - 1}", CONDITION)
        self.assertEqual(self.again, [f"{2 * MAX_KNOWN - 1}"])

    def test_of_another_room(self) -> None:
        """No room sends back what was said in another."""
        self.bounces.sent("one", message("a"))
        self.bounces.got("two", "a", CONDITION)
        self.assertEqual(self.again, [])
