"""Tests of :mod:`xbot.control.server`, over an in-memory transport."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial import unittest

from xbot.control.protocol import MAX_LINE, Question, Reply, Request, Result
from xbot.control.server import (
    MAX_CONNECTIONS,
    PATIENCE,
    RETURN_WAIT,
    BotCalls,
    SayFactory,
)
from xbot.model.jid import Jid

ROOM = Jid.parse("ops@rooms.example")
ALICE = Jid.parse("alice@example.org")
ACCOUNT = "xbot@example.org"


class ServerTests(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.said, self.rejections = [], {}
        self.has_room, self.hindrance, self.is_broken = True, "", False
        self.status = True, "in 1 of 1 rooms"
        bot = BotCalls(lambda room: room == ROOM, lambda person: person == ALICE, self.put,
                  lambda id: self.rejections.get(id, ""), lambda room: self.hindrance,
                  lambda: self.status, lambda: ACCOUNT, self.reload)  # fmt: skip
        self.factory = SayFactory(bot, self.clock, lambda: 1000 + self.clock.seconds())

    def reload(self):
        self.reloading = Deferred()
        return self.reloading

    def put(self, message, delivered, failed):
        if self.is_broken:
            failed()
        elif self.has_room:
            self.said.append((message, delivered))
            self.failed = failed
        return self.has_room

    def connect(self):
        saying = self.factory.buildProtocol(None)
        if saying is not None:
            saying.makeConnection(StringTransport())
        return saying

    def ask(self, timeout=10.0, room=ROOM, text="hello\nall"):
        saying = self.connect()
        saying.dataReceived(Request(room, text, timeout).line())
        return saying

    def reply(self, saying):
        """What it was answered, if it was; then the connection is closed."""
        data = saying.transport.value()
        self.assertEqual(saying.transport.disconnecting, bool(data))
        return Reply.parse(data) if data else None

    def test_status(self):
        """How the bot is, is told at once, and nothing is said."""
        for status, result in ((True, Result.READY), (False, Result.NOT_READY)):
            self.status = status, "in words"
            saying = self.connect()
            saying.dataReceived(Question("status", ACCOUNT).line())
            self.assertEqual(self.reply(saying), Reply(result, "in words"))
        self.assertEqual((self.said, self.clock.getDelayedCalls()), ([], []))

    def test_reload(self):
        """A reload is answered when it is done, or with why it was refused."""
        for problem, reply in (
            ("", Reply(Result.DONE)),
            ("xbot.ini:3: no", Reply(Result.REFUSED, "xbot.ini:3: no")),
        ):
            saying = self.connect()
            saying.dataReceived(Question("reload").line())
            self.assertIsNone(self.reply(saying))
            self.reloading.callback(problem)
            self.assertEqual(self.reply(saying), reply)

    def test_another_bot(self):
        """A request for another bot is refused, and names both."""
        for line in (
            Question("status", "ops@example.org").line(),
            Request(ROOM, "x", 1.0, account="ops@example.org").line(),
        ):
            saying = self.connect()
            saying.dataReceived(line)
            told = f"the bot with this state folder is {ACCOUNT}, and not ops@example.org"
            self.assertEqual(self.reply(saying), Reply(Result.REFUSED, told))
        self.assertEqual(self.said, [])

    def test_delivered(self):
        """What is said in a room is answered once the server has it, and not before."""
        saying = self.ask()
        ((message, delivered),) = self.said
        self.assertEqual((message.recipient, message.room, message.body, message.is_public),
                         (str(ROOM), str(ROOM), "hello\nall", True))  # fmt: skip
        self.assertIsNone(self.reply(saying))
        delivered()
        self.assertEqual(self.reply(saying), Reply(Result.DELIVERED))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_person(self):
        """A person whom the ini names gets it alone; it is told once it can hardly come back."""
        saying = self.ask(room=ALICE)
        ((message, delivered),) = self.said
        self.assertEqual((message.recipient, message.room, message.payload["type"]),
                         (str(ALICE), None, "chat"))  # fmt: skip
        delivered()
        self.clock.advance(RETURN_WAIT - 0.1)
        self.assertIsNone(self.reply(saying))
        self.clock.advance(0.1)
        self.assertEqual(self.reply(saying), Reply(Result.DELIVERED))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_person_who_does_not_get_it(self):
        """A message that came back, before or after the server had it, is told with the reason."""
        why = "it came back: service-unavailable"
        for is_late in (True, False):
            self.said.clear()
            saying = self.ask(room=ALICE)
            ((message, delivered),) = self.said
            self.rejections[message.payload["id"]] = why
            if is_late:
                delivered()
                self.clock.advance(RETURN_WAIT)
            else:
                self.failed()
            reply = self.reply(saying)
            self.assertEqual((reply.result, why in reply.reason), (Result.REFUSED, True))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nobody_else(self):
        """To anybody whom the ini does not name, nothing is sent."""
        for to in "eve@example.org", "dev@rooms.example":
            reply = self.reply(self.ask(room=Jid.parse(to)))
            told = f"{to} is no room of this bot, and may-write-to in [xbot] does not name it"
            self.assertEqual(reply, Reply(Result.REFUSED, told))
        self.assertEqual(self.said, [])

    def test_what_cannot_be_said(self):
        """A text that the bot cannot say is answered at once."""
        self.is_broken = True
        reply = self.reply(self.ask())
        self.assertIs(reply.result, Result.REFUSED)
        self.assertIn("log", reply.reason)
        # Where the room says why, so does the answer.
        self.hindrance = "we were banned (enough)"
        self.assertEqual(
            self.reply(self.ask()).reason, "the bot cannot say it: we were banned (enough)"
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_delivered_at_once(self):
        """A server that acknowledges nothing has what was written."""
        self.put = lambda message, delivered, failed: delivered() or True
        self.factory.bot = BotCalls(
            lambda room: True,
            lambda person: False,
            self.put,
            lambda id: "",
            lambda room: "",
            lambda: self.status,
            lambda: ACCOUNT,
            self.reload,
        )
        self.assertEqual(self.reply(self.ask()), Reply(Result.DELIVERED))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_late(self):
        """What is not acknowledged in time is told as queued, and why; later it is no matter."""
        for hindrance, reason in (
            ("next try in 40 s: connection refused",) * 2,
            ("", "the server has not acknowledged it"),
        ):
            self.hindrance = hindrance
            saying = self.ask(timeout=3)
            self.clock.advance(2.9)
            self.assertIsNone(self.reply(saying))
            self.clock.advance(0.1)
            self.assertEqual(self.reply(saying), Reply(Result.QUEUED, reason))
            self.said[-1][1]()
            self.assertEqual(self.reply(saying), Reply(Result.QUEUED, reason))

    def test_refused(self):
        """More than can be kept is refused."""
        self.has_room = False
        self.assertIs(self.reply(self.ask()).result, Result.REFUSED)
        self.assertEqual(self.said, [])

    def test_asked_long_ago(self):
        """What is read after whoever asked has given up is not said."""
        for until, said in ((None, 1), (1000, 1), (999.9, 0)):
            self.said.clear()
            saying = self.connect()
            saying.dataReceived(Request(ROOM, "hello", 10.0, until).line())
            self.assertEqual(len(self.said), said, until)
        reply = Reply(Result.REFUSED, "that was asked too long ago")
        self.assertEqual(self.reply(saying), reply)

    def test_garbage(self):
        """What is no request, or has no end, is refused; what follows a request is ignored."""
        for data in (b"hello\n", b"x" * (MAX_LINE + 1), b"\n"):
            saying = self.connect()
            saying.dataReceived(data)
            self.assertIs(self.reply(saying).result, Result.REFUSED)
        saying = self.ask()
        saying.dataReceived(Request(ROOM, "again", 1).line() * 3)
        self.assertEqual(len(self.said), 1)

    def test_silence(self):
        """Who says nothing is sent away."""
        saying = self.connect()
        self.clock.advance(PATIENCE)
        self.assertIs(self.reply(saying).result, Result.REFUSED)

    def test_gone(self):
        """When who asked is gone, what was taken is said all the same."""
        saying = self.ask()
        saying.connectionLost()
        self.assertEqual((len(self.factory.open), self.clock.getDelayedCalls()), (0, []))
        self.said[0][1]()
        self.assertEqual(saying.transport.value(), b"")

    def test_many(self):
        """So many may wait at once."""
        waiting = [self.ask() for _ in range(MAX_CONNECTIONS)]
        self.assertIsNone(self.connect())
        waiting[0].connectionLost()
        self.assertIsNotNone(self.connect())

    def test_stop(self):
        """When the bot stops, those who wait are told."""
        saying = self.ask()
        self.factory.stop()
        self.assertEqual(self.reply(saying), Reply(Result.LOST, "the bot stops"))
        self.assertEqual(self.clock.getDelayedCalls(), [])
