"""The outbox: nothing that it took is lost, nothing is out of order, nothing grows for ever."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from xbot.errors import NotConnected, TooLong
from xbot.measure import in_characters
from xbot.message import Message
from xbot.outbox import Outbox

ROOM = "ops@conference.example.org"


def to_room(text: str, room: str = ROOM) -> Message:
    """Something said in a room."""
    return Message("bot", room, text, {"type": "groupchat"}, room=room)


class Link:
    """An adapter's sending end that is up for the places it is told."""

    def __init__(self) -> None:
        self.up: set[str] = set()
        self.sent: list[str] = []
        self.messages: list[Message] = []
        self.most = 5000

    def send(self, message: Message) -> None:
        """Take it, if the place is there."""
        if (message.room or message.recipient) not in self.up:
            raise NotConnected(message.recipient, "not there")
        if message.body == "broken":
            raise ValueError("no stanza")
        if len(message.body) > self.most:
            raise TooLong(message.recipient, len(message.body), self.most, in_characters(self.most))
        self.sent.append(message.body)
        self.messages.append(message)


class OutboxTests(unittest.TestCase):
    def setUp(self) -> None:
        self.link = Link()
        self.outbox = Outbox(self.link.send, max_messages=5, max_bytes=10_000)

    def test_waits_for_its_place(self):
        """What cannot leave waits, in order, until its place is there."""
        for text in "abc":
            self.outbox.put(to_room(text))
        self.outbox.got_ready(ROOM)
        self.assertEqual(self.link.sent, [])
        self.link.up.add(ROOM)
        self.outbox.got_ready(ROOM)
        self.outbox.put(to_room("d"))
        self.assertEqual(self.link.sent, ["a", "b", "c", "d"])

    def test_one_place_holds_nobody_up(self):
        """A room that is not joined does not delay what is said elsewhere."""
        self.link.up.add("alice@example.org/x")
        self.outbox.put(to_room("a"))
        self.outbox.put(Message("bot", "alice@example.org/x", "b"))
        self.assertEqual(self.link.sent, ["b"])

    def test_private_messages_wait_for_the_room(self):
        """What is said privately through a room waits for the room."""
        self.outbox.put(Message("bot", f"{ROOM}/alice", "a", {"type": "chat"}, room=ROOM))
        self.link.up.add(ROOM)
        self.outbox.got_ready(ROOM)
        self.assertEqual(self.link.sent, ["a"])

    def test_what_bounced_is_said_again(self):
        """What arrived and came back waits again, before what came later, in its order."""
        self.link.up.add(ROOM)
        told = []
        for text in "abc":
            self.outbox.put(to_room(text), lambda text=text: told.append(text))
        self.link.up.clear()
        self.outbox.put(to_room("d"))
        a, b, c = self.link.messages
        # The acknowledgement may come first, or what bounced.
        self.outbox.got_delivered(a)
        self.outbox.got_bounced(a)
        self.outbox.got_bounced(b)
        self.outbox.got_delivered(b)
        self.outbox.got_delivered(c)
        self.assertEqual(len(self.outbox), 3)
        self.link.up.add(ROOM)
        self.outbox.got_ready(ROOM)
        self.assertEqual(self.link.sent, ["a", "b", "c", "a", "b", "d"])
        self.assertEqual(
            [each.payload["id"] for each in self.link.messages[3:5]],
            [a.payload["id"], b.payload["id"]],
        )
        for message in self.link.messages[3:]:
            self.outbox.got_delivered(message)
        self.assertEqual(len(self.outbox), 0)
        self.assertEqual(told, ["a", "b", "c"])
        self.successResultOf(self.outbox.drained())

    def test_bounced_in_order(self):
        """What came back keeps its order, whenever it was acknowledged; nothing of it stays."""
        self.link.up.add(ROOM)
        for text in "abc":
            self.outbox.put(to_room(text))
        self.link.up.clear()
        for message in list(self.link.messages):
            self.outbox.got_bounced(message)
            self.outbox.got_delivered(message)
        self.link.up.add(ROOM)
        self.outbox.got_ready(ROOM)
        self.assertEqual(self.link.sent, ["a", "b", "c", "a", "b", "c"])
        self.assertEqual(self.outbox._bounced, set())

    def test_returned_ones_go_first(self):
        """What may not have arrived is sent again, before what came later, in its order."""
        self.link.up.add(ROOM)
        for text in "ab":
            self.outbox.put(to_room(text))
        self.link.up.clear()
        self.outbox.put(to_room("c"))
        self.outbox.got_returned(self.link.messages)
        self.link.up.add(ROOM)
        self.outbox.got_ready()
        self.assertEqual(self.link.sent, ["a", "b", "a", "b", "c"])
        self.assertEqual(len(self.outbox), 3)

    def test_bounded_by_count(self):
        """What does not fit is dropped and counted; what is delivered makes room again."""
        self.link.up.add(ROOM)
        for text in "abcdef":
            self.outbox.put(to_room(text))
        self.assertEqual(self.link.sent, list("abcde"))
        self.assertEqual(self.outbox.counts["overflow"], 1)
        self.outbox.got_delivered(self.link.messages[0])
        self.outbox.put(to_room("g"))
        self.assertEqual(self.link.sent[-1], "g")

    def test_bounded_by_bytes(self):
        """A few long messages fill it as well as many short ones."""
        self.outbox.put(to_room("x" * 2000))
        self.outbox.put(to_room("y" * 2000))
        self.assertEqual((len(self.outbox), self.outbox.counts["overflow"]), (1, 1))

    def test_what_cannot_be_sent_at_all(self):
        """A message that is no stanza is dropped, logged, and holds nobody up."""
        self.link.up.add(ROOM)
        told = []
        self.outbox.put(to_room("broken"), lambda: told.append("ok"), lambda: told.append("no"))
        self.assertEqual(told, ["no"])
        self.outbox.put(to_room("b"))
        self.assertEqual(self.link.sent, ["b"])
        self.assertEqual(len(self.outbox), 1)
        self.link.up.clear()
        for text in "broken", "c":
            self.outbox.put(to_room(text), None, lambda: told.append("later"))
        self.link.up.add(ROOM)
        self.outbox.got_ready(ROOM)
        self.assertEqual((self.link.sent, told), (["b", "c"], ["no", "later"]))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_in_parts(self) -> None:
        """What is too long is said in parts, in its place in the order, and told of once."""
        self.link.most = 40
        told: list[str] = []
        for is_up in (False, True):
            outbox = self.outbox = Outbox(self.link.send)
            self.link.up = {ROOM} if is_up else set()
            outbox.put(to_room("before"))
            outbox.put(to_room(f"{'a' * 40}\n{'b' * 9}"), lambda: told.append("delivered"))
            outbox.put(to_room("after"))
            self.link.up.add(ROOM)
            outbox.got_ready(ROOM)
            self.assertEqual(self.link.sent, ["before", "a" * 40, "b" * 9, "after"])
            first, *others = (message.payload["id"] for message in self.link.messages[1:3])
            self.assertEqual(others, [f"{first}-2"])
            for message in self.link.messages[:2]:
                outbox.got_delivered(message)
            self.assertEqual((told, len(outbox)), ([], 2))
            outbox.got_delivered(self.link.messages[2])
            self.assertEqual((told, len(outbox)), (["delivered"], 1))
            told.clear()
            self.link.sent.clear()
            self.link.messages.clear()

    def test_a_part_that_fails(self) -> None:
        """Whoever said the whole is told once, whatever becomes of the other parts."""
        self.link.most = 40
        self.link.up.add(ROOM)
        told: list[str] = []
        self.outbox.put(
            to_room("x" * 100), lambda: told.append("delivered"), lambda: told.append("failed")
        )
        first, second, third = self.link.messages
        self.outbox.got_delivered(first)
        self.outbox.got_refused(second)
        self.outbox.got_delivered(third)
        self.assertEqual((told, len(self.outbox)), (["failed"], 0))

    def test_hardly_any_room(self) -> None:
        """Where not even a few words fit, it is given up, told, and holds nobody up."""
        self.link.most = 10
        self.link.up.add(ROOM)
        told: list[str] = []
        self.outbox.put(to_room("x" * 100), None, lambda: told.append("failed"))
        self.outbox.put(to_room("y"))
        self.assertEqual((told, self.link.sent, len(self.outbox)), (["failed"], ["y"], 1))

    def test_refused(self) -> None:
        """What can never be said is forgotten, and whoever said it is told."""
        self.link.up.add(ROOM)
        told: list[str] = []
        self.outbox.put(
            to_room("a"), lambda: told.append("delivered"), lambda: told.append("failed")
        )
        drained = self.outbox.drained()
        self.outbox.got_refused(self.link.messages[0])
        self.successResultOf(drained)
        self.assertEqual((told, self.outbox.counts["refused"]), (["failed"], 1))

    def test_told_when_delivered(self):
        """Who asks is told when the message has arrived, however often it had to be sent."""
        told = []
        self.link.up.add(ROOM)
        self.outbox.put(to_room("a"), lambda: told.append("a"))
        self.outbox.got_returned(self.link.messages)
        self.outbox.got_ready()
        self.assertEqual((self.link.sent, told), (["a", "a"], []))
        first, again = self.link.messages
        self.assertEqual(first.payload["id"], again.payload["id"])
        self.outbox.got_delivered(again)
        self.assertEqual(told, ["a"])

    def test_drained(self):
        """drained() fires once the last one is delivered, or at once."""
        self.successResultOf(self.outbox.drained())
        self.link.up.add(ROOM)
        self.outbox.put(to_room("a"))
        drained = self.outbox.drained()
        self.assertNoResult(drained)
        self.outbox.got_delivered(self.link.messages[0])
        self.successResultOf(drained)

    @given(
        st.lists(st.sampled_from(["put a", "put b", "up a", "up b", "down", "ack"]), max_size=60)
    )
    def test_nothing_is_lost(self, steps):
        """Whatever the link does, in the end each place got all that was put, in order."""
        link = Link()
        outbox = Outbox(link.send)
        put: dict[str, list[str]] = {"a": [], "b": []}
        delivered: dict[str, list[str]] = {"a": [], "b": []}

        def acknowledge(count: int) -> None:
            for message in link.messages[:count]:
                delivered[message.room or ""].append(message.body)
                outbox.got_delivered(message)
            del link.messages[:count]

        for number, step in enumerate([*steps, "down", "up a", "up b"]):
            verb, _, place = step.partition(" ")
            if verb == "put":
                put[place].append(str(number))
                outbox.put(to_room(str(number), place))
            elif verb == "up":
                link.up.add(place)
                outbox.got_ready(place)
            elif verb == "ack":
                acknowledge(1)
            else:
                link.up.clear()
                returned, link.messages = link.messages, []
                outbox.got_returned(returned)
        acknowledge(len(link.messages))
        self.assertEqual(delivered, put)
        self.assertEqual((len(outbox), outbox._bytes), (0, 0))
