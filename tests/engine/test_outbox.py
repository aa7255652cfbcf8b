"""Tests of the outbox: no message is lost or out of order, and the queues are bounded."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial import unittest

from xbot import respond
from xbot.engine.drop_log import GATHER, MAX_LINES, OTHERS, PERIOD
from xbot.engine.outbox import AGE_CHECK, MAX_AGE, MAX_MESSAGES, Outbox
from xbot.model.errors import EnoughUnderWay, NotConnected, TooLong, Unreachable
from xbot.model.message import Message
from xbot.model.size_limit import in_characters
from xbot.testing import Bot

ROOM = "ops@conference.example.org"


def to_room(text: str, room: str = ROOM) -> Message:
    """A message to a room."""
    return Message("bot", room, text, {"type": "groupchat"}, room=room)


class Link:
    """A fake sending adapter that is up for given places."""

    def __init__(self) -> None:
        self.up: set[str] = set()
        self.refusing: set[str] = set()
        self.sent: list[str] = []
        self.messages: list[Message] = []
        self.most = 5000

    def send(self, message: Message) -> None:
        """Take it, if the place is there."""
        if (message.room or message.recipient) in self.refusing:
            raise Unreachable(message.recipient, "we are banned")
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
        """What came back waits again, before what came later, in its order; arrived or not."""
        self.link.up.add(ROOM)
        told = []
        for text in "abc":
            self.outbox.put(to_room(text), lambda text=text: told.append(text))
        self.link.up.clear()
        self.outbox.put(to_room("d"))
        a, b, c = self.link.messages
        self.outbox.got_delivered(a)
        self.outbox.got_bounced(a, was_delivered=True)
        self.outbox.got_bounced(b)
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
        self.assertEqual(told, ["a", "c", "b"])
        self.successResultOf(self.outbox.drained())

    def test_bounced_in_order(self):
        """What came back keeps its order, whenever it was acknowledged; nothing of it stays."""
        self.link.up.add(ROOM)
        for text in "abc":
            self.outbox.put(to_room(text))
        self.link.up.clear()
        for message in list(self.link.messages):
            self.outbox.got_bounced(message)
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


class WindowTests(unittest.TestCase):
    """What an adapter with a window of unacknowledged messages takes at once."""

    def setUp(self) -> None:
        self.left, self.tried, self.sent = 0, 0, []
        self.outbox = Outbox(self.send)

    def send(self, message: Message) -> None:
        self.tried += 1
        if not self.left:
            raise EnoughUnderWay(message.recipient, "enough")
        self.left -= 1
        self.sent.append(message.body)

    def ready(self, count: int) -> None:
        self.left = count
        self.outbox.got_ready()

    def test_tried_once(self) -> None:
        """While nothing can leave, what comes is not tried, wherever it goes."""
        for number in range(100):
            self.outbox.put(to_room(f"{number}", f"room{number % 3}"))
        self.assertEqual((self.tried, len(self.outbox)), (1, 100))
        self.ready(5)
        self.assertEqual((self.tried, len(self.sent)), (7, 5))

    def test_places_take_turns(self) -> None:
        """A place for which much waits keeps no other one waiting."""
        for number in range(100):
            self.outbox.put(to_room(f"a{number}", "a"))
        for place in "bc":
            self.outbox.put(to_room(place, place))
        self.ready(10)
        self.ready(10)
        self.assertEqual(self.sent[10:12], ["b", "c"])
        while len(self.sent) < 102:
            self.ready(10)
        ordered = [text for text in self.sent if text[0] == "a"]
        self.assertEqual(ordered, [f"a{number}" for number in range(100)])


class ShareTests(unittest.TestCase):
    """Fair shares: one place cannot use up the queue space of others."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.link = Link()
        self.lost: list[str] = []
        self.outbox = Outbox(
            self.link.send,
            max_messages=20,
            max_bytes=100_000,
            clock=self.clock,
            lost=lambda message: self.lost.append(message.body),
        )
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(self.outbox.stop)
        self.told: list[str] = []

    def put(self, text: str, room: str = ROOM) -> None:
        """Have it said, by somebody who wants to know."""
        self.outbox.put(
            to_room(text, room),
            lambda: self.told.append(f"said {text}"),
            lambda: self.told.append(f"lost {text}"),
        )

    def lines(self, seconds: float) -> list[str]:
        """What is logged within so many seconds."""
        with capturedLogs() as events:
            self.clock.advance(seconds)
        return [
            f"{event['count']} to {event['place']}: {event['reason']}"
            for event in events
            if "dropped" in event["log_format"]
        ]

    def test_a_room_that_is_gone(self) -> None:
        """However much is said to it, an answer elsewhere leaves, and each sayer is told."""
        outbox = Outbox(self.link.send)
        failed: list[int] = []
        for number in range(MAX_MESSAGES + 500):
            outbox.put(
                to_room("x", "dead@rooms"), None, lambda number=number: failed.append(number)
            )
        self.link.up.add(ROOM)
        for number in range(100):
            outbox.put(to_room(f"{number}"))
        self.assertEqual(self.link.sent, [f"{number}" for number in range(100)])
        # The oldest have yielded, in their order.
        share = MAX_MESSAGES // 2
        self.assertEqual(failed, list(range(MAX_MESSAGES + 500 - share)))

    def test_many_rooms_that_are_gone(self) -> None:
        """What is said where it can be finds room; the place where most waits yields its oldest."""
        for room, count in ("a", 9), ("b", 7), ("c", 4):
            for number in range(count):
                self.put(f"{room}{number}", room)
        self.link.up.add(ROOM)
        for number in range(4):
            self.put(f"{number}")
        self.assertEqual(self.link.sent, ["0", "1", "2", "3"])
        self.assertEqual(self.told, ["lost a0", "lost a1", "lost a2", "lost b0"])
        self.assertEqual(len(self.outbox), 20)
        self.assertEqual(
            self.lines(GATHER),
            ["3 to a: the outbox is full", "1 to b: the outbox is full"],
        )

    def test_long_ones(self) -> None:
        """A few long messages to a place that is gone yield to one that is not."""
        self.link.most = 50_000
        for _ in range(2):
            self.put("x" * 12_000, "dead")
        self.assertEqual((self.told, len(self.outbox)), (["lost " + "x" * 12_000], 1))
        self.link.up.add(ROOM)
        self.put("y" * 20_000)
        self.assertEqual(len(self.link.sent), 1)

    def test_all_on_its_way(self) -> None:
        """Where nothing waits that could yield, what is new is lost, and told so."""
        self.link.up.add(ROOM)
        for number in range(21):
            self.put(f"{number}")
        self.assertEqual(self.told, ["lost 20"])
        self.outbox.put(to_room("21"))
        self.outbox.put(to_room("x" * 30_000))
        self.assertEqual(self.lost, ["21", "x" * 30_000])
        self.assertEqual(self.outbox.counts["overflow"], 3)

    def test_room_for(self) -> None:
        """Who keeps it asks first: there is room unless something of the same place would yield."""
        for _ in range(10):
            self.assertTrue(self.outbox.has_room_for(to_room("x")))
            self.put("x")
        self.assertFalse(self.outbox.has_room_for(to_room("x")))
        self.link.up.add("live")
        for _ in range(10):
            self.put("x", "live")
        self.assertEqual(len(self.outbox), 20)
        self.assertTrue(self.outbox.has_room_for(to_room("x", "live")))

    def test_refused(self) -> None:
        """What waits for a place that refuses us is dropped at once, and what comes later."""
        for text in "abc":
            self.put(text)
        self.link.refusing.add(ROOM)
        self.outbox.got_ready(ROOM)
        self.assertEqual(self.told, ["lost a", "lost b", "lost c"])
        self.put("d")
        self.outbox.put(to_room("e"))
        self.assertEqual((self.told[3:], self.lost), (["lost d"], ["e"]))
        self.assertEqual((len(self.outbox), self.outbox._bytes), (0, 0))
        self.assertEqual(self.outbox.counts["unreachable"], 5)
        self.assertEqual(self.lines(GATHER), [f"5 to {ROOM}: we are banned"])
        for _ in range(100):
            self.put("f")
        self.assertEqual(self.lines(PERIOD - GATHER), [])
        self.assertEqual(self.lines(GATHER), [f"100 to {ROOM}: we are banned"])
        self.assertEqual(self.outbox._waiting, {})

    def test_few_lines(self) -> None:
        """However many places lose something, so many lines tell it."""
        for number in range(10 * MAX_LINES):
            self.link.refusing.add(f"{number}")
            self.put("x", f"{number}")
        lines = self.lines(GATHER)
        self.assertEqual(len(lines), MAX_LINES + 1)
        self.assertIn(f"{9 * MAX_LINES} to {OTHERS}", lines[-1])
        self.put("x", "1")
        with capturedLogs() as events:
            self.outbox.stop()
            self.put("x", "2")
        self.assertEqual([event["place"] for event in events], ["1", "2"])

    def test_too_old(self) -> None:
        """What waited for an hour is of no use: it is dropped, and who said it is told."""
        self.put("a")
        self.clock.advance(MAX_AGE / 2)
        self.put("b")
        self.put("c", "other")
        self.clock.advance(MAX_AGE / 2 + AGE_CHECK)
        self.assertEqual(self.told, ["lost a"])
        self.assertEqual(self.outbox.counts["too-old"], 1)
        self.link.up |= {ROOM, "other"}
        self.outbox.got_ready()
        self.assertEqual(self.link.sent, ["b", "c"])
        self.assertEqual(self.lines(PERIOD), [f"1 to {ROOM}: it waited for 60 minutes"])

    def test_kept_elsewhere(self) -> None:
        """Who keeps it decides how old it may be, and is told apart when it is dropped."""
        for text in "ab":
            self.outbox.put(
                to_room(text), None, self.fail, lambda text=text: self.told.append(f"again {text}")
            )
            self.outbox.put(to_room("answer"))
        self.assertEqual((len(self.outbox), self.outbox.kept), (4, 2))
        self.clock.advance(3 * MAX_AGE)
        self.assertEqual((self.told, self.lost, len(self.outbox)), ([], ["answer"] * 2, 2))
        self.link.refusing.add(ROOM)
        self.outbox.got_ready(ROOM)
        self.assertEqual(self.told, ["again a", "again b"])
        self.assertEqual(self.outbox._kept, {})
        self.link.refusing.clear()
        self.link.up.add(ROOM)
        self.outbox.put(to_room("c"), None, None, self.fail)
        self.outbox.got_delivered(self.link.messages[0])
        self.assertEqual(self.outbox._kept, {})

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(
                    ("put", "up", "put", "down", "put", "refuse", "ack", "cut", "time")
                ),
                st.sampled_from("abcd"),
            ),
            max_size=120,
        )
    )
    def test_any_life(self, steps):
        """Each message has one end; live places are never refused; order and sums stay right."""
        clock, link = Clock(), Link()
        outbox = Outbox(link.send, max_messages=12, max_bytes=10_000, clock=clock)
        ends: Counter[str] = Counter()
        under_way: list[Message] = []
        delivered: dict[str, list[int]] = {place: [] for place in "abcd"}

        def acknowledge() -> None:
            message = link.messages.pop(0)
            delivered[str(message.room)].append(int(message.body))
            outbox.got_delivered(message)

        puts = 0
        for verb, place in steps:
            under_way = link.messages
            if verb == "put":
                body, before = f"{puts}", sum(ends.values())
                puts += 1
                end = lambda body=body: ends.update([body])  # noqa: E731 - bound to this one
                outbox.put(to_room(body, place), end, end)
                if place in link.up and len(under_way) < 12:
                    # It left, unless nothing but what is on its way fills all.
                    self.assertEqual(ends[body], 0, (body, before))
                    self.assertEqual(link.messages[-1].body, body)
            elif verb == "up":
                link.refusing.discard(place)
                link.up.add(place)
                outbox.got_ready(place)
            elif verb == "refuse":
                link.up.discard(place)
                link.refusing.add(place)
                outbox.got_ready(place)
            elif verb == "down":
                link.up.discard(place)
            elif verb == "ack" and link.messages:
                acknowledge()
            elif verb == "cut":
                link.up.clear()
                returned, link.messages = link.messages, []
                outbox.got_returned(returned)
            elif verb == "time":
                clock.advance(MAX_AGE / 3)
            self.assertLessEqual(len(outbox), 12)
            waiting = sum(map(len, outbox._waiting.values()))
            self.assertEqual(len(outbox), waiting + len(link.messages))
        link.refusing.clear()
        link.up.update("abcd")
        outbox.got_ready()
        while link.messages:
            acknowledge()
        self.assertEqual(ends, Counter(f"{number}" for number in range(puts)))
        for numbers in delivered.values():
            self.assertEqual(numbers, sorted(numbers))
        self.assertEqual((len(outbox), outbox._bytes, outbox._callbacks), (0, 0, {}))
        self.successResultOf(outbox.drained())
        clock.advance(PERIOD + AGE_CHECK)
        clock.advance(PERIOD)
        self.assertEqual(clock.getDelayedCalls(), [])


class BotTests(unittest.TestCase):
    def test_an_answer_to_a_room_that_was_left(self) -> None:
        """It is dropped, counted as undelivered, and told in the log."""
        ends: list[Deferred[str]] = []

        @respond("slow")
        async def slow(message: Message) -> str:
            ends.append(Deferred())
            return await ends[-1]

        bot = Bot([slow])
        bot.say("xbot: slow", room=ROOM)
        bot.adapter.leave(ROOM)
        ends[0].callback("late")
        self.assertEqual(bot._assembly.dispatcher.fates["undelivered"], 1)
        bot.close()
        self.assertEqual(len(bot.log), 1)
        self.assertIn(f"dropped 1 messages to {ROOM}: we left the room", bot.log[0])
        self.assertEqual(bot.clock.getDelayedCalls(), [])
