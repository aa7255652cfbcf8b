"""Tests of :mod:`xbot.engine.dispatch.missed`: missed commands never run, and get one notice."""

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from tests.engine.dispatch.deploying import DeployCase
from tests.engine.dispatch.test_dispatcher import DIRECT, responder
from xbot.api.decorators import fallback, hear, respond
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.engine.dispatch.interrupted import MAX_NAMED
from xbot.engine.dispatch.missed import GATHER, MAX_PEOPLE, PERIOD
from xbot.model.access import Access, AccessList
from xbot.model.message import Message
from xbot.model.people import People

KEPT = evolve(
    DIRECT, body="deploy web", identity="a@example.org", key="1", delayed=True, missed=True
)
IN_ROOM = evolve(
    KEPT,
    body="xbot: deploy web",
    sender="room@x/alice",
    room="room@x",
    nick="alice",
    identity="a@x",
    payload={"type": "groupchat"},
)
PLEASE = "I was away and missed that; please repeat what you still want."


class MissedTests(DeployCase):
    def bot(self, *others: Any, journal: Any = None, **options: Any) -> Dispatcher:
        return self.dispatcher(
            self.deploy(**options), *others, journal=self.journal if journal is None else journal
        )

    def told(self, bot: Dispatcher, *messages: Message) -> list[str]:
        """What is said of these, which came at once."""
        for message in messages:
            self.assertIsNone(bot.got_message(message))
        self.assertEqual(self.said(), [])
        self.clock.advance(GATHER)
        self.assertEqual(self.ran, [])
        return self.said()

    def test_a_command(self) -> None:
        """Whoever said it hears that it was missed; it does not run, and the journal knows."""
        bot = self.bot()
        bot.got_message(KEPT)
        self.clock.advance(GATHER)
        (answer,) = self.sent
        self.assertEqual((answer.recipient, answer.payload["type"]), (DIRECT.sender, "chat"))
        self.assertEqual(self.said(), [f'"deploy web": {PLEASE}'])
        self.assertEqual((self.ran, bot.fates["delayed"]), ([], 1))
        self.assertEqual([e.outcome for e in self.journal.entries.values()], ["missed"])

    def test_a_nick_that_changed_hands(self) -> None:
        """What one occupant said in private is not told to the next one with that nick."""
        first = evolve(IN_ROOM, payload={"type": "chat"}, occupant="1", identity=None)
        second = evolve(first, body="deploy db", occupant="2", key="2")
        bot = self.bot()
        bot.got_message(first)
        bot.got_message(second)
        self.clock.advance(GATHER)
        told = [(m.addressee and m.addressee.occupant, m.body) for m in self.sent]
        self.assertEqual(told, [("1", f'"deploy web": {PLEASE}'), ("2", f'"deploy db": {PLEASE}')])

    def test_repeated(self) -> None:
        """What is then said again runs."""
        bot = self.bot()
        self.told(bot, KEPT)
        bot.got_message(evolve(KEPT, key="2", delayed=False, missed=False))
        self.assertEqual((self.said(), self.ran), (["web is deployed"], ["web"]))

    def test_no_command(self) -> None:
        """Only what a command of theirs would have answered is told; nothing else says a word."""

        @hear("deploy")
        def overhear(message: Message) -> str:
            raise AssertionError

        @fallback
        def guess(message: Message) -> str:
            raise AssertionError

        for changes in (
            {"body": "they deploy"},
            {"body": "hello"},
            {"body": " "},
            {"missed": False},
            {"echo": True},
            {"identity": "b@example.org"},
            {"identity": None},
        ):
            bot = self.bot(
                overhear, guess, access=Access(allow=AccessList(People.parse(["a@example.org"])))
            )
            self.assertEqual(self.told(bot, evolve(KEPT, **changes)), [], changes)
        self.assertEqual(self.journal.entries, {})

    def test_an_answer_to_a_question(self) -> None:
        """A word from the past confirms nothing."""
        bot = self.bot(confirm=True)
        bot.got_message(evolve(KEPT, delayed=False, missed=False))
        self.said()
        self.assertEqual(self.told(bot, evolve(KEPT, body="yes", key="2")), [])

    def test_many(self) -> None:
        """All that one person said is one answer of bounded length, whichever device said it."""
        bot = self.bot()
        late = [
            evolve(KEPT, body=f"deploy {'x' * 500}{n}", key=str(n), sender=f"a@example.org/{n}")
            for n in range(1000)
        ]
        (text,) = self.told(bot, *late)
        self.assertIn(f" and {1000 - MAX_NAMED} more: {PLEASE}", text)
        self.assertLess(len(text), 700)
        self.assertEqual(len(self.journal.entries), MAX_NAMED)

    def test_in_a_room(self) -> None:
        """What was said there to be read by all is answered once, with who said what."""
        bot = self.bot()
        bot.got_message(IN_ROOM)
        bot.got_message(evolve(IN_ROOM, sender="room@x/bob", nick="bob", identity="b@x", key="2"))
        self.clock.advance(GATHER)
        (answer,) = self.sent
        self.assertEqual((answer.recipient, answer.payload["type"]), ("room@x", "groupchat"))
        self.assertEqual(self.said(), [f'"deploy web" (alice), "deploy web" (bob): {PLEASE}'])
        self.assertEqual(self.ran, [])

    def test_in_public_and_alone(self) -> None:
        """What one person said to the bot alone is not told where others read it."""
        bot = self.bot()
        through_room = evolve(
            IN_ROOM, body="deploy two", key="2", payload={"type": "chat"}, nick="alice"
        )
        alone = evolve(KEPT, body="deploy three", identity="a@x", key="3")
        for message in IN_ROOM, through_room, alone:
            bot.got_message(message)
        self.clock.advance(GATHER)
        self.assertEqual(
            [(answer.recipient, answer.body.partition(":")[0]) for answer in self.sent],
            [
                ("room@x", '"deploy web" (alice)'),
                ("room@x/alice", '"deploy two"'),
                (KEPT.sender, '"deploy three"'),
            ],
        )

    def test_again(self) -> None:
        """A person is told once a minute, of all that was missed since; none of it is dropped."""
        bot = self.bot()
        self.assertEqual(len(self.told(bot, KEPT)), 1)
        for number in "23":
            self.assertEqual(self.told(bot, evolve(KEPT, body="deploy db", key=number)), [])
        self.clock.advance(PERIOD - 4 * GATHER)
        self.assertEqual(self.said(), [])
        self.clock.advance(GATHER)
        self.assertEqual(self.said(), [f'"deploy db", "deploy db": {PLEASE}'])
        # Its cooldown has begun.
        self.assertEqual(self.told(bot, evolve(KEPT, key="4")), [])

    def test_a_crowd(self) -> None:
        """No more than so many people are told at once."""
        bot = self.bot()
        self.assertEqual(len(self.told(bot, KEPT)), 1)
        crowd = [evolve(KEPT, identity=f"p{n}@example.org", key=f"p{n}") for n in range(500)]
        self.assertEqual(len(self.told(bot, *crowd)), MAX_PEOPLE // 2 - 1)
        # Those of one domain leave some to others.
        other = evolve(KEPT, identity="b@example.net", sender="b@example.net/x", key="other")
        self.assertEqual(len(self.told(bot, other)), 1)

    def test_known(self) -> None:
        """What was obeyed, or told, before the server knew of it is nothing new."""
        bot = self.bot()
        bot.got_message(evolve(KEPT, delayed=False, missed=False))
        self.assertEqual((self.said(), self.ran), (["web is deployed"], ["web"]))
        self.ran.clear()
        self.assertEqual(self.told(bot, KEPT), [])
        after = self.bot(journal=self.journal.restarted())
        self.assertEqual(self.told(after, KEPT), [])
        # Beside it there may be something that is.
        self.clock.advance(PERIOD)
        self.assertEqual(
            self.told(after, KEPT, evolve(KEPT, body="deploy db", key="2")),
            [f'"deploy db": {PLEASE}'],
        )

    def test_without_a_journal_that_works(self) -> None:
        """What nobody can know is told; without an id it is new each time."""
        self.journal.problem = "full"
        self.assertEqual(len(self.told(self.bot(), KEPT)), 1)
        self.journal.problem = None
        for _ in range(2):
            self.assertEqual(len(self.told(self.bot(), evolve(KEPT, key=None))), 1)

        @respond("ask")
        def ask(message: Message) -> str:
            raise AssertionError

        bot = self.dispatcher(ask)
        self.assertEqual(self.told(bot, evolve(KEPT, body="ask")), [f'"ask": {PLEASE}'])

    def test_stop(self) -> None:
        """A bot that stops says nothing more, and leaves no timer."""
        bot = self.bot()
        bot.got_message(KEPT)
        bot.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        bot.got_message(evolve(KEPT, key="2"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_behind_a_slow_pattern(self) -> None:
        """What waits for a pattern is bounded as what is live is."""
        waiting: list[Deferred[list[Any]]] = []

        class Slow:
            def find(self, text: str, asked: Any, asker: Any = None) -> Deferred[list[Any]]:
                waiting.append(Deferred())
                return waiting[-1]

        @respond(r"(?!x)(\w+\s?)*")
        def slow(message: Message) -> str:
            raise AssertionError

        bot = Dispatcher(
            [responder(slow)],
            self.sent.append,
            self.clock,
            name="xbot",
            prefix="!",
            nick_in=lambda room: None,
            rooms={},
            worker=Slow(),
        )
        for n in range(100):
            bot.got_message(evolve(KEPT, key=str(n)))
        self.assertEqual(len(waiting), 1)
        while waiting:
            waiting.pop().callback([{}])
        self.clock.advance(GATHER)
        (text,) = self.said()
        self.assertIn(f"and {33 - MAX_NAMED} more", text)
