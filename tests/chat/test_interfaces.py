"""The contract of IAdapter, for every adapter that needs no network."""

from twisted.trial import unittest
from zope.interface.verify import verifyObject

from xbot.chat.interfaces import IAdapter, IReceipts
from xbot.chat.terminal.adapter import ShellAdapter, You
from xbot.config.settings import RoomSettings
from xbot.engine.outbox import Outbox
from xbot.model.errors import NotConnected, Unreachable
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.model.speech import message_of
from xbot.testing.adapter import FakeAdapter

BOT = "xbot@example.org/bot"
ALICE = "alice@example.org"
ROOM = "ops@conference.example.org"


def to_alice(text: str) -> Message:
    return Message(BOT, ALICE, text, {"type": "chat"})


def to_room(text: str, room: str = ROOM) -> Message:
    return Message(BOT, room, text, {"type": "groupchat"}, room=room)


class AdapterContract:
    """What the engine relies on. ``make`` makes one, ``say`` has Alice say something to the bot."""

    def setUp(self) -> None:
        self.heard: list[Message] = []
        self.delivered: list[str] = []
        self.outbox = Outbox(lambda message: self.adapter.send(message))
        self.adapter = self.make(self.outbox)

    def make(self, receipts: IReceipts) -> IAdapter:
        raise NotImplementedError

    def say(self, text: str) -> None:
        raise NotImplementedError

    def put(self, message: Message) -> None:
        """Have something said, and note when it has arrived."""
        self.outbox.put(message, lambda: self.delivered.append(message.body))

    def join(self, nick: str = "xbot") -> None:
        self.adapter.join(RoomSettings(Jid.parse(ROOM), nick))

    def test_interface(self) -> None:
        """It has all that an adapter has, and a name."""
        verifyObject(IAdapter, self.adapter)
        self.assertTrue(self.adapter.name)

    def test_nothing_leaves_before_the_start(self) -> None:
        """What is said before it started waits, and leaves in its order by itself."""
        with self.assertRaises(NotConnected):
            self.adapter.send(to_alice("x"))
        for text in "abc":
            self.put(to_alice(text))
        self.assertEqual(self.delivered, [])
        self.adapter.start()
        self.assertEqual(self.delivered, ["a", "b", "c"])

    def test_nothing_leaves_after_the_end(self) -> None:
        """Once it is stopped nothing leaves, and it is in no room."""
        self.adapter.start()
        self.join()
        self.successResultOf(self.adapter.stop())
        self.put(to_alice("late"))
        self.assertEqual((self.delivered, len(self.outbox)), ([], 1))
        self.assertIsNone(self.adapter.nick_in(ROOM))

    def test_each_is_delivered_once(self) -> None:
        """The outbox is told of each message that arrived, and keeps none of them."""
        self.adapter.start()
        self.put(to_alice("same"))
        self.put(to_alice("same"))
        self.assertEqual((self.delivered, len(self.outbox)), (["same", "same"], 0))

    def test_rooms(self) -> None:
        """It is in a room from the join to the leaving, under the nick of the last join."""
        self.adapter.start()
        self.assertIsNone(self.adapter.nick_in(ROOM))
        self.join()
        self.assertEqual(self.adapter.nick_in(ROOM), "xbot")
        self.join("robot")
        self.assertEqual(self.adapter.nick_in(ROOM), "robot")
        self.adapter.leave(ROOM)
        self.assertIsNone(self.adapter.nick_in(ROOM))
        self.adapter.leave(ROOM)

    def test_rooms_before_the_start(self) -> None:
        """A room joined before it started is joined once it starts."""
        self.join()
        self.assertIsNone(self.adapter.nick_in(ROOM))
        self.adapter.start()
        self.assertEqual(self.adapter.nick_in(ROOM), "xbot")

    def test_what_is_said_in_a_room_waits_for_it(self) -> None:
        """What a room is told waits until it is joined, and holds up nobody else."""
        self.adapter.start()
        self.put(to_room("in the room"))
        self.put(to_alice("elsewhere"))
        self.assertEqual(self.delivered, ["elsewhere"])
        self.join()
        self.assertEqual(self.delivered, ["elsewhere", "in the room"])

    def test_what_is_said_in_a_room_that_was_left(self) -> None:
        """It does not wait there, who said it is told; it is said once the bot returns."""
        self.join()
        failed: list[str] = []
        self.outbox.put(to_room("a"), None, lambda: failed.append("a"))
        self.assertEqual(len(self.outbox), 1)
        self.adapter.start()
        self.adapter.leave(ROOM)
        with self.assertRaises(Unreachable):
            self.adapter.send(to_room("b"))
        self.outbox.put(to_room("b"), None, lambda: failed.append("b"))
        self.assertEqual((failed, len(self.outbox)), (["b"], 0))
        self.join()
        self.put(to_room("c"))
        self.assertEqual(self.delivered, ["c"])

    def test_what_is_said_to_the_bot(self) -> None:
        """A message that arrives has its facts: who, to whom, of which kind, and no past."""
        self.adapter.start()
        self.say("hello")
        (heard,) = self.heard
        self.assertEqual(
            (heard.body, heard.sender, heard.identity, heard.recipient),
            ("hello", ALICE, ALICE, BOT),
        )
        self.assertEqual((heard.delayed, heard.echo, heard.is_public), (False, False, False))

    def hear(self, message: Message) -> None:
        self.heard.append(message)


class FakeAdapterTests(AdapterContract, unittest.TestCase):
    def make(self, receipts: IReceipts) -> FakeAdapter:
        return FakeAdapter(self.hear, receipts)

    def say(self, text: str) -> None:
        self.adapter.got_message(message_of(text, BOT, sender=ALICE))

    def test_a_link_that_breaks(self) -> None:
        """What is said while the link is broken leaves once it is mended."""
        self.adapter.start()
        self.adapter.break_link()
        self.put(to_alice("x"))
        self.assertEqual(self.delivered, [])
        self.adapter.mend_link()
        self.assertEqual(self.delivered, ["x"])


class ShellAdapterTests(AdapterContract, unittest.TestCase):
    def make(self, receipts: IReceipts) -> ShellAdapter:
        self.shown: list[Message] = []
        return ShellAdapter(
            self.hear, receipts, self.shown.append, you=You(ALICE), address=BOT, nick="xbot"
        )

    def say(self, text: str) -> None:
        self.adapter.say(text)

    def test_your_room(self) -> None:
        """The bot is in the room that you are in, and what you say there all can read."""
        you = You(ALICE, ROOM, "al", "owner")
        adapter = ShellAdapter(
            self.hear, self.outbox, self.shown.append, you=you, address=BOT, nick="xbot"
        )
        adapter.start()
        self.assertEqual(adapter.nick_in(ROOM), "xbot")
        adapter.say("hello")
        (heard,) = self.heard
        self.assertTrue(heard.is_public)
        self.assertEqual((heard.nick, heard.affiliation, heard.room), ("al", "owner", ROOM))

    def test_your_room_in_the_ini(self) -> None:
        """Where the ini says what the bot is called in your room, it is called that."""
        adapter = ShellAdapter(
            self.hear,
            self.outbox,
            self.shown.append,
            you=You(ALICE, ROOM),
            address=BOT,
            nick="xbot",
            rooms=[RoomSettings(Jid.parse(ROOM), "robo")],
        )
        adapter.start()
        self.assertEqual((adapter.places(), adapter.nick_in(ROOM)), ([ROOM], "robo"))

    def test_it_shows_what_is_said(self) -> None:
        """What the bot says is shown, wherever it says it."""
        self.adapter.start()
        self.put(to_alice("x"))
        self.assertEqual([message.body for message in self.shown], ["x"])
