"""Tests of :mod:`xbot.engine.dispatch.questions` and ``message.ask``, in a dispatcher."""

import gc
import threading

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import LogLevel, capturedLogs, formatEvent

from tests.engine.dispatch.test_dispatcher import (
    DIRECT,
    IN_ROOM,
    PRIVATE,
    ROOM,
    DispatcherCase,
    responder,
)
from xbot.api.decorators import fallback, hear, respond
from xbot.config.settings import MAX_RUNS
from xbot.engine.dispatch.questions import MAX_QUESTIONS
from xbot.model.message import AskedInThread, Message, NobodyListens
from xbot.process.threads import InThread
from xbot.runtime.failures import NoAnswer

ALICE = evolve(IN_ROOM, identity="alice@example.org", occupant="1")
BOB = evolve(IN_ROOM, sender=f"{ROOM}/bob", nick="bob", identity="bob@example.org", occupant="2")


async def go(message: Message) -> str:
    answer = await message.ask("Which one?")
    return f"{answer.body}!"


@hear("red|blue")
def colours(message: Message) -> str:
    return "a colour"


@respond("red")
def red(message: Message) -> str:
    return "red command"


class AskTests(DispatcherCase):
    def ask(self, dispatcher: object, message: Message = ALICE) -> None:
        dispatcher.got_message(message)  # type: ignore[attr-defined]
        self.assertEqual(self.said(), ["Which one?"])

    def test_answer(self) -> None:
        """What the same person says next is the answer, without our name, and nobody else's."""
        dispatcher = self.dispatcher(go, colours, red)
        for answer in ("red", "xbot: red", "Robo, red", "!red"):
            self.ask(dispatcher)
            dispatcher.got_message(evolve(ALICE, body=answer))
            self.assertEqual(self.said(), ["red!"], answer)
        dispatcher.got_message(evolve(ALICE, body="xbot: red"))
        self.assertEqual(self.said(), ["red command"])
        self.assertEqual(dispatcher.fates["answered"], 5)

    def test_what_is_passed_over(self) -> None:
        """While somebody is asked, nothing is passed over as said to nobody."""
        dispatcher = self.dispatcher(go)
        dispatcher.tells_all = False

        def is_ignored() -> bool:
            return dispatcher.ignores("blue", ROOM, "robo", delayed=False, echo=False)

        self.assertTrue(is_ignored())
        self.ask(dispatcher)
        self.assertFalse(is_ignored())

    def test_anything_is_one(self) -> None:
        """Whatever it is: a command too, and what nobody would answer to."""
        dispatcher = self.dispatcher(go)
        for answer in ("xbot: go", "???"):
            self.ask(dispatcher)
            dispatcher.got_message(evolve(ALICE, body=answer))
            self.assertEqual(self.said(), [answer.removeprefix("xbot: ") + "!"])

    def test_nobody_else(self) -> None:
        """Neither others, nor the same person elsewhere, nor the nick's next holder, can answer."""
        dispatcher = self.dispatcher(go)
        self.ask(dispatcher)
        for other in (
            BOB,
            evolve(ALICE, occupant="3"),
            evolve(ALICE, identity="mallory@example.net", occupant="3"),
            evolve(ALICE, identity=None),
            evolve(PRIVATE, identity="alice@example.org", occupant="1"),
            evolve(ALICE, room="other@rooms.example"),
            evolve(DIRECT, identity="alice@example.org"),
            evolve(ALICE, delayed=True),
            evolve(ALICE, echo=True),
        ):
            dispatcher.got_message(evolve(other, body="no"))
        dispatcher.got_message(evolve(ALICE, body=" "))
        self.assertEqual(self.said(), [])
        dispatcher.got_message(evolve(ALICE, body="yes"))
        self.assertEqual(self.said(), ["yes!"])

    def test_without_identity(self) -> None:
        """Where nobody's address is known, the room's occupant is the person; a nick is none."""
        dispatcher = self.dispatcher(go)
        nobody = evolve(ALICE, identity=None)
        self.ask(dispatcher, nobody)
        dispatcher.got_message(evolve(nobody, occupant="2", body="mine"))
        self.assertEqual(self.said(), [])
        dispatcher.got_message(evolve(nobody, body="mine"))
        self.assertEqual(self.said(), ["mine!"])

    def test_another_nick(self) -> None:
        """An occupant under another nick is the same person, in private too."""
        dispatcher = self.dispatcher(go)
        for asker in evolve(ALICE, identity=None), evolve(PRIVATE, occupant="1"):
            self.ask(dispatcher, asker)
            for occupant, said in ("2", []), ("1", ["red!"]):
                answer = evolve(asker, sender=f"{ROOM}/ally", nick="ally", body="red")
                dispatcher.got_message(evolve(answer, occupant=occupant))
                self.assertEqual(self.said(), said)

    def test_answers_are_asked_back_about(self) -> None:
        """An answer can be replied to, and asked about, for as long as its run lasts."""
        kept: list[Message] = []

        async def go(message: Message) -> None:
            first = await message.ask("one?")
            first.reply(f"got {first.body}")
            second = await first.ask("two?")
            kept.append(second)
            second.reply(f"got {second.body}")

        dispatcher = self.dispatcher(go)
        for body in ("xbot: go", "a", "b"):
            dispatcher.got_message(evolve(ALICE, body=body))
        self.assertEqual(self.said(), ["one?", "got a", "two?", "got b"])
        self.failureResultOf(ensureDeferred(asking(kept[0])), NoAnswer)

    def test_a_long_talk(self) -> None:
        """Whoever goes on answering goes on being asked."""

        async def go(message: Message) -> None:
            while message.body != "50":
                message = await message.ask(message.body)

        dispatcher = self.dispatcher(go)
        for number in range(51):
            dispatcher.got_message(evolve(ALICE, body=str(number) if number else "!go"))
        self.assertEqual(len(self.said()), 50)
        self.assertEqual(dispatcher.fates["answered"], 0)
        self.assertEqual(len(dispatcher._questions), 0)

    def test_no_answer(self) -> None:
        """Without one in time the run is over, politely, unless it knows what to do."""
        dispatcher = self.dispatcher(go)
        self.ask(dispatcher)
        self.clock.advance(60)
        self.assertEqual(self.said(), ["Never mind, then."])
        self.assertEqual(dispatcher.fates["failed"], 1)
        dispatcher.got_message(evolve(ALICE, body="red"))
        self.assertEqual(self.said(), [])

        async def patient(message: Message) -> str:
            try:
                return (await message.ask("Well?", timeout=5)).body
            except NoAnswer:
                return "nothing"

        dispatcher = self.dispatcher(respond("go")(patient))
        dispatcher.got_message(ALICE)
        self.clock.advance(5)
        self.assertEqual(self.said(), ["Well?", "nothing"])

    def test_time_limit_stands_still(self) -> None:
        """Who waits for a person is not late; before and after, the limit holds."""
        late: Deferred[None] = Deferred()

        async def slow(message: Message) -> None:
            await message.ask("Which one?", timeout=3600)
            await late

        dispatcher = self.dispatcher(responder(respond("go")(slow), timeout=30.0))
        self.ask(dispatcher)
        self.clock.advance(3000)
        dispatcher.got_message(evolve(ALICE, body="red"))
        self.clock.advance(29)
        self.assertEqual(self.said(), [])
        self.clock.advance(1)
        self.assertEqual(self.said(), ["slow did not finish within 30 s."])

    def test_who_waits_is_in_nobodys_way(self) -> None:
        """More people can be waited for than runs may be at work; each run is counted rightly."""
        dispatcher = self.dispatcher(go)
        people = [evolve(ALICE, occupant=f"{number}") for number in range(MAX_RUNS + 2)]
        for _ in range(2):
            for person in people:
                self.ask(dispatcher, person)
            for person in people:
                dispatcher.got_message(evolve(person, body="red"))
                self.assertEqual(self.said(), ["red!"])
        self.assertEqual(+dispatcher._runs._at_work, {})

    def test_one_question_each(self) -> None:
        """A new question ends the one before, without a word about it."""

        async def twice(message: Message) -> str:
            first, second = message.ask("first?"), message.ask("second?")
            try:
                await first
            except NoAnswer as nothing:
                return f"{nothing.answer}|{nothing.reason}|{(await second).body}"
            return "no"

        dispatcher = self.dispatcher(respond("go")(twice))
        dispatcher.got_message(ALICE)
        self.assertEqual(self.said(), ["first?", "second?"])
        dispatcher.got_message(evolve(ALICE, body="red"))
        self.assertEqual(self.said(), ["|asked something else|red"])

    def test_bounded(self) -> None:
        """So many questions are open at once; one room leaves some to others, who leave some."""
        dispatcher = self.dispatcher(go)
        for number in range(MAX_QUESTIONS // 2):
            self.ask(dispatcher, evolve(ALICE, occupant=f"person {number}"))
        dispatcher.got_message(BOB)
        self.assertEqual(self.said(), ["go is busy; try again in a moment."])
        self.ask(dispatcher, evolve(ALICE, room="tea@rooms.example"))
        self.ask(dispatcher, evolve(ALICE, sender="a@x/1", room=None, payload={"type": "chat"}))
        self.clock.advance(60)
        self.assertEqual(len(dispatcher._questions), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """Questions end with their runs, without a word."""
        dispatcher = self.dispatcher(go)
        self.ask(dispatcher)
        dispatcher.stop()
        self.assertEqual((self.said(), len(dispatcher._questions)), ([], 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_asks_and_goes(self) -> None:
        """A run that is over asks nothing any more: what people say is nobody's answer."""
        asked: list[Deferred[Message]] = []

        async def careless(message: Message) -> str:
            asked.append(ensureDeferred(asking(message)))
            return "done"

        dispatcher = self.dispatcher(respond("go")(careless), red)
        dispatcher.got_message(ALICE)
        self.assertEqual(self.said(), ["Which one?", "done"])
        self.failureResultOf(asked[0])
        dispatcher.got_message(evolve(ALICE, body="!red"))
        self.assertEqual(self.said(), ["red command"])

    def test_who_does_not_await(self) -> None:
        """A question whose answer nobody awaits is withdrawn, and the log says whose it was."""

        @respond("go")
        async def careless(message: Message) -> str:
            message.ask("Which one?")
            return "done"

        dispatcher = self.dispatcher(careless)
        with capturedLogs() as events:
            dispatcher.got_message(ALICE)
            gc.collect()
        self.assertEqual(self.said(), ["Which one?", "done"])
        self.assertEqual(len(dispatcher._questions), 0)
        (event,) = (event for event in events if event["log_level"] >= LogLevel.warn)
        self.assertIn("careless asked something and was over", formatEvent(event))

    async def test_in_a_thread(self) -> None:
        """A plain function is told to be another one."""
        raised: Deferred[BaseException] = Deferred()

        def plain(message: Message) -> None:
            try:
                message.ask("Which one?")
            except AskedInThread as error:
                reactor.callFromThread(raised.callback, error)  # type: ignore[attr-defined]

        in_thread = InThread(reactor)
        dispatcher = self.dispatcher(responder(respond("go")(plain), in_thread))
        self.assertNotEqual(threading.active_count(), 0)
        dispatcher.got_message(ALICE)
        self.assertIn("async def", str(await raised))
        await dispatcher.idle()
        self.assertEqual(self.said(), [])

    def test_what_cannot_be_asked(self) -> None:
        """Only the run that has a message asks, a text, and not for ever."""
        with self.assertRaises(NobodyListens):
            ALICE.ask("Which one?")
        for arguments in ({"text": 1}, {"text": "a", "timeout": 0}, {"text": "a", "timeout": 1e9}):
            with self.assertRaises((TypeError, ValueError)):
                ALICE.ask(**arguments)  # type: ignore[arg-type]

    def test_after_long_answers(self) -> None:
        """A question is said whatever was kept back before it."""

        @fallback
        async def go(message: Message) -> str:
            message.reply("x\n" * 10_000)
            return (await message.ask("Which one?")).body

        dispatcher = self.dispatcher(go)
        dispatcher.got_message(ALICE)
        *_, offer, question = self.said()
        self.assertTrue(offer.startswith("[more"))
        self.assertEqual(question, "Which one?")
        dispatcher.got_message(evolve(ALICE, body="red"))
        self.assertEqual(self.said(), ["red"])


async def asking(message: Message) -> Message:
    return await message.ask("Which one?")
