"""Tests of :mod:`xbot.engine.dispatch.pattern_guard`: slow patterns, and who may use them."""

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.matching.threads import FakeThreads
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.matching.breaker import MANY, STRIKES
from xbot.matching.guarded_search import GuardedSearch
from xbot.matching.pattern import Pattern
from xbot.model.access import EVERYONE, Access, AccessList
from xbot.model.message import Message
from xbot.model.people import People
from xbot.runtime.answers import Answers
from xbot.runtime.responder import Responder, Route

ROOM = "ops@rooms.example"
ADMIN, EVE = "admin@example.org", "eve@elsewhere.example"
ADMINS = Access(allow=AccessList(People.parse([ADMIN])))

#: 2026-12-01 12:00 UTC.
NOON = 1_796_126_400.0

#: Slow on any text, as far as is known, so that it always goes to the thread.
GUARDED = r"(?:(.)\1)*(?:x?){50}"


def said_by(who: str, body: str = "rollback web") -> Message:
    return Message(f"{who}/phone", "xbot@example.org/bot", body, {"type": "chat"}, identity=who)


def responder(name: str, *patterns: Pattern | None, access: Access = EVERYONE) -> Responder:
    def call(message: Message, groups: Any) -> Deferred[Answers]:
        return succeed(Answers((f"{name} ran",)))

    routes = tuple(Route(each, call, effect=False) for each in patterns)
    return Responder(name, routes, access=access)


class PatternGuardCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.threads = FakeThreads()
        self.sent: list[str] = []

    def bot(self, *responders: Responder, **more: Any) -> Dispatcher:
        fallback = responder("unknown", None)
        return Dispatcher(
            [*responders, fallback],
            lambda message: self.sent.append(message.body),
            self.clock,
            name="xbot",
            prefix="!",
            nick_in=lambda room: None,
            rooms={},
            worker=GuardedSearch(self.clock, self.threads),
            wall_clock=lambda: NOON + self.clock.seconds(),
            **more,
        )

    def said(self) -> list[str]:
        said, self.sent[:] = list(self.sent), []
        return said

    def time_out(self, bot: Dispatcher, message: Message) -> list[str]:
        """The answers to a message whose search takes too long."""
        bot.got_message(message)
        self.threads.time_out()
        return self.said()


class BreakerTests(PatternGuardCase):
    def setUp(self) -> None:
        super().setUp()
        rollback = responder("rollback", Pattern.match(f"rollback {GUARDED}.*"))
        deploy = responder("deploy", Pattern.match("deploy"), access=ADMINS)
        self.dispatcher = self.bot(rollback, deploy)

    def use(self, message: Message) -> list[str]:
        """The answers to a message whose search ends in time, if there is one."""
        self.dispatcher.got_message(message)
        while self.threads.waiting:
            self.threads.work()
        return self.said()

    def test_stranger_and_admin(self) -> None:
        """Three texts of a stranger switch a pattern off for the stranger, not for the admin."""
        for _ in range(STRIKES):
            self.time_out(self.dispatcher, said_by(EVE))
        self.assertEqual(self.use(said_by(ADMIN)), ["rollback ran"])
        self.assertEqual(self.use(said_by("bob@elsewhere.example")), ["rollback ran"])
        self.assertNotEqual(self.use(said_by(EVE)), ["rollback ran"])

    def test_told(self) -> None:
        """A sender for whom it is switched off is told so, and until when."""
        told = [self.time_out(self.dispatcher, said_by(EVE)) for _ in range(STRIKES)]
        gave_up = "I gave up reading that for rollback: it took too long. Say it shorter."
        self.assertEqual(told, [[gave_up]] * STRIKES)
        self.clock.advance(61)
        switched_off = (
            "rollback is switched off for you until 12:05 UTC (4 min) for texts as long as this"
            " one: it took too long to read some that you said."
        )
        self.assertEqual(self.use(said_by(EVE)), [switched_off])
        self.clock.advance(239)
        self.assertEqual(self.use(said_by(EVE)), ["rollback ran"])

    def test_many_addresses(self) -> None:
        """Strangers with any number of addresses cannot switch it off for a person with rights."""
        for number in range(200):
            message = said_by(f"{number}@{number % 20}.example")
            self.dispatcher.got_message(message)
            if self.threads.waiting:
                self.threads.time_out()
        self.assertLess(self.threads.started, 200)
        self.said()
        (told,) = self.use(said_by("new@new.example"))
        self.assertIn("rollback is switched off for now until 12:05 UTC (5 min)", told)
        self.assertEqual(self.use(said_by(ADMIN)), ["rollback ran"])

    def test_nicks_in_a_room(self) -> None:
        """A person with ever new nicks has the pattern switched off in that room only."""
        for number in range(STRIKES * MANY):
            nick = f"{ROOM}/{number}"
            message = Message(nick, ROOM, "!rollback web", {"type": "groupchat"}, ROOM, str(number))
            self.time_out(self.dispatcher, message)
        here = Message(f"{ROOM}/new", ROOM, "!rollback web", {"type": "groupchat"}, ROOM, "new")
        self.assertIn("switched off for now", self.use(here)[0])
        there = evolve(here, sender="dev@rooms.example/new", room="dev@rooms.example")
        self.assertEqual(self.use(there), ["rollback ran"])
        self.assertEqual(self.use(evolve(here, identity=ADMIN)), ["rollback ran"])

    def test_same_occupant(self) -> None:
        """Another nick of the same occupant is the same sender."""
        one = Message(f"{ROOM}/a", ROOM, "!rollback web", {"type": "groupchat"}, ROOM, "a")
        one = evolve(one, occupant="7")
        for _ in range(STRIKES):
            self.time_out(self.dispatcher, one)
        renamed = evolve(one, sender=f"{ROOM}/b", nick="b")
        self.assertIn("switched off for you", self.use(renamed)[0])

    def test_another_answers(self) -> None:
        """What another responder answers is answered, and nothing is said of the slow one."""
        self.dispatcher = self.bot(
            responder("slow", Pattern.match(f"{GUARDED}.*y")),
            responder("rollback", Pattern.match("rollback .*")),
            responder("hears", Pattern.hear("hello")),
        )
        self.assertEqual(self.time_out(self.dispatcher, said_by(EVE)), ["rollback ran"])
        self.assertEqual(self.time_out(self.dispatcher, said_by(EVE, "hello")), ["hears ran"])
        self.assertIn("slow", self.time_out(self.dispatcher, said_by(EVE, "else"))[0])

    def test_overheard(self) -> None:
        """Nothing is said about a slow pattern to people who did not address the bot."""
        self.dispatcher = self.bot(responder("hears", Pattern.hear(f"{GUARDED}y")))
        message = Message(f"{ROOM}/a", ROOM, "a text", {"type": "groupchat"}, ROOM, "a")
        self.assertEqual(self.time_out(self.dispatcher, message), [])


class RightsTests(PatternGuardCase):
    PATTERN = Pattern.match(f"rollback {GUARDED}.*")

    def test_never_matched(self) -> None:
        """A text of a sender who may not use the responder is not searched, and is refused."""
        bot = self.bot(responder("rollback", self.PATTERN, access=ADMINS))
        for _ in range(2 * STRIKES):
            bot.got_message(said_by(EVE))
        self.assertEqual(self.threads.started, 0)
        self.assertEqual(self.said()[0], "rollback is not for you, eve.")
        bot.got_message(said_by(ADMIN))
        self.threads.work()
        self.assertEqual(self.said(), ["rollback ran"])

    def test_hidden_address(self) -> None:
        """A sender whose address is hidden reads why, and not that the command is unknown."""
        bot = self.bot(responder("rollback", self.PATTERN, access=ADMINS))
        hidden = Message(f"{ROOM}/a", ROOM, "!rollback web", {"type": "groupchat"}, ROOM, "a")
        bot.got_message(hidden)
        self.assertIn("I cannot see here who you are", self.said()[0])
        self.assertEqual(self.threads.started, 0)

    def test_not_here(self) -> None:
        """Nor is it searched where the responder does not answer; there it stays unknown."""
        bot = self.bot(responder("rollback", self.PATTERN, access=Access(direct=False)))
        bot.got_message(said_by(EVE))
        self.assertEqual((self.said(), self.threads.started), (["unknown ran"], 0))

    def test_secret_names(self) -> None:
        """A pattern that may begin with anything names its responder to no stranger."""
        bot = self.bot(responder("secret", Pattern.match(f"{GUARDED}y"), access=ADMINS))
        bot.got_message(said_by(EVE, "anything"))
        self.assertEqual((self.said(), self.threads.started), (["unknown ran"], 0))

    def test_outside_a_conversation(self) -> None:
        """Nor for a message outside a conversation, if the responder has effects."""
        rollback = responder("rollback", self.PATTERN)
        rollback = evolve(rollback, routes=(evolve(rollback.routes[0], effect=True),))
        bot = self.bot(rollback)
        bot.got_message(evolve(said_by(EVE), payload={"type": "normal"}))
        self.assertEqual(self.threads.started, 0)
        self.assertIn("not for messages outside a conversation", self.said()[0])

    def test_author(self) -> None:
        """Nor for words of an author who may not use it, whoever says them."""
        rollback = responder("rollback", self.PATTERN, access=ADMINS)
        rollback = evolve(rollback, routes=(evolve(rollback.routes[0], effect=True),))
        bot = self.bot(rollback)
        bot.got_message(evolve(said_by(ADMIN), authors=(said_by(EVE),)))
        self.assertEqual(self.threads.started, 0)
        self.assertIn("the person who chose these words may not use rollback", self.said()[0])
