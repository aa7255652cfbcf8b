"""Tests of :mod:`xbot.engine.dispatch.routing`, and of the order of messages that wait for it."""

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from xbot.engine.dispatch import ordering
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.engine.dispatch.routing import Routing
from xbot.matching.breaker import UNKNOWN, Asker
from xbot.matching.guarded_search import OwnedPattern
from xbot.matching.pattern import Pattern
from xbot.model.access import Access, AccessList
from xbot.model.message import Message
from xbot.runtime.answers import Answers
from xbot.runtime.responder import Chosen, Responder, Route

ROOM = "ops@rooms.example"
IN_ROOM = Message(
    f"{ROOM}/alice",
    f"{ROOM}/xbot",
    "xbot: go",
    payload={"type": "groupchat"},
    room=ROOM,
    nick="alice",
)
DIRECT = Message("a@example.org/x", "xbot@example.org/bot", "go", payload={"type": "chat"})
GUARDED = r"(?:(.)\1)*(?:x?){50}"


class SlowWorker:
    """A fake pattern worker that answers when the test tells it to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], list[Any]]] = []

    def find(self, text: str, asked: list[OwnedPattern], asker: Asker = UNKNOWN) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        self.waiting.append((answer, [each.pattern.find(text) for each in asked]))
        return answer

    def answer(self) -> None:
        """The oldest question."""
        answer, found = self.waiting.pop(0)
        answer.callback(found)


def responder(name: str, *patterns: Pattern | None) -> Responder:
    def call(message: Message, groups: Any) -> Deferred[Answers]:
        return succeed(Answers((f"{name} {message.body}",)))

    return Responder(name, tuple(Route(each, call) for each in patterns))


class ChoosingTests(TestCase):
    def names(self, chosen: list[Chosen] | Deferred[list[Chosen]]) -> list[str]:
        if isinstance(chosen, Deferred):
            chosen = self.successResultOf(chosen)
        return [each[0].name for each in chosen]

    def test_same_guarded_or_not(self) -> None:
        """Commands come before what is heard, and that before what takes all: as without a wait."""
        for first, heard in (
            (Pattern.match("go+"), Pattern.hear("o")),
            (Pattern.match(rf"g{GUARDED}o*"), Pattern.hear(rf"o{GUARDED}")),
        ):
            worker = SlowWorker()
            choosing = Routing(
                [
                    responder("all", None),
                    responder("hears", heard),
                    responder("command", first, heard),
                    responder("later", Pattern.match("goo")),
                ],
                worker,
            )

            def choose(
                addressed: str | None,
                body: str,
                *absent: str,
                choosing: Routing = choosing,
                worker: SlowWorker = worker,
            ) -> list[str]:
                chosen = choosing.choose(
                    addressed, evolve(DIRECT, body=body), lambda each, _: each.name not in absent
                )
                while worker.waiting:
                    worker.answer()
                return self.names(chosen)

            self.assertEqual(choose("goo", "goo"), ["command"])
            self.assertEqual(choose("goo", "goo", "command"), ["later"])
            self.assertEqual(choose("goo", "goo", "command", "later"), ["hears"])
            self.assertEqual(choose(None, "goo"), ["hears", "command"])
            self.assertEqual(choose("x", "x"), ["all"])
            self.assertEqual(choose("x", "x", "all"), [])
            self.assertEqual(choose(None, "x"), [])


class OrderTests(TestCase):
    def setUp(self) -> None:
        self.worker = SlowWorker()
        self.sent: list[str] = []
        self.dispatcher = Dispatcher(
            [responder("slow", Pattern.match(f"slow {GUARDED}")), responder("go", None)],
            lambda message: self.sent.append(message.body),
            Clock(),
            name="xbot",
            prefix="!",
            nick_in=lambda room: None,
            rooms={},
            worker=self.worker,
        )

    def say(self, message: Message, body: str) -> Deferred[None] | None:
        return self.dispatcher.got_message(evolve(message, body=body))

    def test_order_in_a_place(self) -> None:
        """What is said after a message that waits is answered after it; elsewhere nobody waits."""
        endings = [self.say(IN_ROOM, f"!{body}") for body in ("slow aa", "b", "slow cc", "d")]
        self.say(DIRECT, "elsewhere")
        self.assertEqual(self.sent, ["go elsewhere"])
        self.worker.answer()
        self.assertEqual(self.sent[1:], ["slow !slow aa", "go !b"])
        for ending in endings[:2]:
            self.successResultOf(ending)
        self.assertNoResult(endings[2])
        self.worker.answer()
        self.assertEqual(self.sent[3:], ["slow !slow cc", "go !d"])
        self.assertIsNone(self.say(IN_ROOM, "!e"))
        self.assertEqual(self.sent[5:], ["go !e"])

    def test_rights_of_now(self) -> None:
        """What waited, for a pattern or behind it, is judged by the affiliation of now."""
        admins = Access(allow=AccessList(affiliations=frozenset({"admin"})))
        self.dispatcher = Dispatcher(
            [
                evolve(responder("slow", Pattern.match(f"slow {GUARDED}")), access=admins),
                evolve(responder("go", Pattern.match("go")), access=admins),
            ],
            lambda message: self.sent.append(message.body),
            Clock(),
            name="xbot",
            prefix="!",
            nick_in=lambda room: None,
            rooms={},
            worker=self.worker,
            affiliation=lambda message: "member",
        )
        admin = evolve(IN_ROOM, identity="alice@example.org", affiliation="admin")
        self.say(admin, "!slow aa")
        self.say(admin, "!go")
        self.worker.answer()
        refusals = ["slow is not for you, alice.", "go is not for you, alice."]
        self.assertEqual(self.sent, refusals)

    def test_bound(self) -> None:
        """So many wait in a place, and no more; those beyond are counted."""
        self.say(IN_ROOM, "!slow aa")
        for number in range(ordering.MAX_WAITING + 2):
            self.say(IN_ROOM, f"!{number}")
        self.assertEqual(self.dispatcher.fates, {"crowded-out": 2})
        self.worker.answer()
        self.assertEqual(len(self.sent), ordering.MAX_WAITING + 1)

    def test_bound_of_all(self) -> None:
        """So many wait in all places; where nobody waits nobody is turned away."""
        self.patch(ordering, "MAX_ALTOGETHER", 4)
        for place in IN_ROOM, DIRECT:
            self.say(place, f"{'!' if place is IN_ROOM else ''}slow aa")
        # One place leaves some to the others.
        for place in IN_ROOM, IN_ROOM, IN_ROOM, IN_ROOM, DIRECT, DIRECT, DIRECT:
            self.say(place, f"{'!' if place is IN_ROOM else ''}x")
        self.assertEqual(self.dispatcher.fates, {"crowded-out": 4})
        self.say(evolve(DIRECT, sender="bob@example.org/x"), "elsewhere")
        self.assertEqual(self.sent, ["go elsewhere"])

    def test_stop(self) -> None:
        """What waits when the bot stops runs nothing any more."""
        endings = [self.say(IN_ROOM, "!slow aa"), self.say(IN_ROOM, "!b")]
        self.dispatcher.stop()
        self.worker.answer()
        self.assertEqual((self.sent, self.dispatcher.fates), ([], {"stopped": 2}))
        for ending in endings:
            self.successResultOf(ending)

    def test_history_does_not_wait(self) -> None:
        """What is not obeyed is dropped at once, whoever waits."""
        self.say(IN_ROOM, "!slow aa")
        self.assertIsNone(self.dispatcher.got_message(evolve(IN_ROOM, delayed=True)))
        self.assertEqual(self.dispatcher.fates, {"delayed": 1})
