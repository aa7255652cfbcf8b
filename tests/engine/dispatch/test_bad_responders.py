"""Misbehaving responders: others are still answered, and the sender gets a reply."""

from functools import partial
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import TestCase

from tests.engine.dispatch import bad_responders
from tests.engine.dispatch.bad_responders import CALLABLES, LIMIT, PROGRAM, write_program
from tests.engine.dispatch.test_dispatcher import IN_ROOM, ROOM
from tests.environment import FakeEnvironment
from tests.runtime.test_subprocesses import is_alive
from xbot.config.settings import MAX_RUNS, ResponderSettings
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.engine.dispatch.refusals import GATHER
from xbot.engine.dispatch.run_queue import MAX_WAITING
from xbot.engine.loading.loader import load_responders
from xbot.model.message import Message
from xbot.process.threads import InThread
from xbot.runtime.answers import MAX_ANSWERS, MAX_LENGTH

#: Who fails at once, and who does not end before the limit.
FAILING = ("raises", "exits", "bytes", "wrong")
ENDLESS = ("never", "blocks", "late", PROGRAM)

#: Seconds for threads and processes on a busy machine.
DEADLINE = 30.0


class ReactorClock(Clock):
    """A test clock that counts calls of ``callFromThread``."""

    def __init__(self) -> None:
        super().__init__()
        self.brought = 0

    def callFromThread(self, function: Any, *args: Any) -> None:
        self.brought += 1
        reactor.callFromThread(function, *args)


class BadResponderTests(TestCase):
    def setUp(self) -> None:
        self.clock = ReactorClock()
        self.sent: list[Message] = []
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.patch(bad_responders, "later", partial(deferLater, self.clock))
        bad_responders.GO.clear()
        self.addCleanup(bad_responders.GO.set)
        folder = Path(self.mktemp())
        folder.mkdir()
        program, self.pids = write_program(folder.absolute())
        settings = [
            ResponderSettings(name, use=f"{bad_responders.__name__}:{each.__name__}", timeout=LIMIT)
            for name, each in CALLABLES.items()
        ]
        run = (str(program), str(self.pids))
        settings.append(ResponderSettings(PROGRAM, match=PROGRAM, run=run, timeout=LIMIT))
        self.in_thread = InThread(reactor)
        self.dispatcher = Dispatcher(
            load_responders(settings, FakeEnvironment(reactor, self.in_thread).environment()),
            self.sent.append,
            self.clock,
            name="xbot",
            prefix="!",
            nick_in=lambda room: "xbot",
            rooms={},
        )
        self.addCleanup(self.in_thread.wind_down)
        self.addCleanup(self.dispatcher.stop)

    def say(self, text: str, nick: object = "alice") -> None:
        self.dispatcher.got_message(
            evolve(IN_ROOM, body=f"xbot: {text}", sender=f"{ROOM}/{nick}", identity=None)
        )

    def said(self) -> list[str]:
        """What we said since the last call; the room lets us hear it too."""
        sent, self.sent[:] = list(self.sent), []
        for message in sent:
            echo = evolve(IN_ROOM, sender=f"{ROOM}/xbot", nick="xbot", body=message.body, echo=True)
            self.dispatcher.got_message(echo)
        return [message.body for message in sent]

    def complaints(self) -> list[dict[str, Any]]:
        """What an operator sees of it."""
        found = [each for each in self.events if each["log_level"] >= LogLevel.warn]
        self.events.clear()
        return found

    def check_others(self) -> None:
        """Somebody else is answered in the same turn of the reactor."""
        self.said()
        self.say("ping")
        self.assertEqual(self.said(), ["pong"])

    def test_who_fails(self) -> None:
        """One polite line to whoever asked, one for the operator, one counted."""
        for name in FAILING:
            self.say(name)
            self.assertEqual(self.said(), [f"{name} failed; the log says why."])
            self.assertEqual(len(self.complaints()), 1, name)
            self.check_others()
        self.assertEqual(self.dispatcher.fates["failed"], len(FAILING))
        self.assertEqual(len(self.flushLoggedErrors()), len(FAILING))

    def test_who_does_not_end(self) -> None:
        """Each is told of once, at its limit; what it says later is not said; others go on."""
        for name in ENDLESS:
            self.say(name)
            self.assertEqual(self.said(), [], name)
            self.check_others()
            self.clock.advance(LIMIT)
            self.assertEqual(self.said(), [f"{name} did not finish within {LIMIT:g} s."])
            self.assertEqual(len(self.complaints()), 1, name)
            self.check_others()
        for _ in range(3):
            self.clock.advance(LIMIT)
        self.assertEqual(self.said(), [])
        self.assertEqual(self.dispatcher.fates["timed-out"], len(ENDLESS))

    def test_too_often(self) -> None:
        """Those who pile up wait, are refused politely beyond that, and hold up nobody else."""
        for name in ENDLESS:
            for number in range(MAX_RUNS + MAX_WAITING + 3):
                self.say(name, number)
            self.assertEqual(self.said(), [f"{name} is busy; try again in a moment."])
            self.check_others()
        self.clock.advance(GATHER)
        lines = self.said()
        for name in ENDLESS:
            self.assertIn(f'"{name}" waits: {MAX_RUNS} before you.', lines)
        self.assertEqual(sum("2 more were refused" in line for line in lines), len(ENDLESS))
        self.check_others()

    async def test_the_program_that_stays(self) -> None:
        """It and its child are gone soon after its limit, though both ignore SIGTERM."""
        self.say(PROGRAM)
        await self.become(self.pids.exists)
        processes = [int(each) for each in self.pids.read_text().split()]
        self.assertEqual([is_alive(each) for each in processes], [True, True])
        self.clock.advance(LIMIT)
        await self.become(lambda: not any(map(is_alive, processes)))
        await self.in_thread.wind_down()

    def test_who_says_too_much(self) -> None:
        """Of a megabyte there is a beginning, which says so, more of it, and a line in the log."""
        self.say("megabyte")
        *pages, offer = self.said()
        self.assertTrue(pages[0].startswith(f"[cut at {MAX_LENGTH:,} characters]"))
        self.assertLessEqual(len("".join(pages)), MAX_LENGTH)
        self.assertIn("more", offer)
        (complaint,) = self.complaints()
        self.assertEqual(complaint["cut"], f"only the first {MAX_LENGTH:,} characters")
        self.check_others()

    async def test_a_flood(self) -> None:
        """A thread that says without end is heard so often, and costs the reactor no more."""
        self.say("floods")
        await self.become(lambda: len(self.sent) > MAX_ANSWERS)
        texts = self.said()
        self.assertEqual(texts[:-1], ["flood"] * MAX_ANSWERS)
        self.assertIn("cut", texts[-1])
        self.check_others()
        self.clock.advance(LIMIT)
        self.assertEqual(self.said(), [f"floods did not finish within {LIMIT:g} s."])
        # It goes on meanwhile.
        await deferLater(reactor, 0.05)
        self.assertEqual(self.clock.brought, len(texts))

    def test_control_characters(self) -> None:
        """They leave the engine as one message: what a service can bear is the adapter's part."""
        self.say("control")
        self.assertEqual(len(self.said()), 1)
        self.check_others()

    def test_who_hears_itself(self) -> None:
        """What we say is heard again, and not answered."""
        self.dispatcher.got_message(evolve(IN_ROOM, body="a mirror?"))
        self.assertEqual(self.said(), ["mirror mirror"])
        self.assertEqual(self.said(), [])
        self.assertEqual(self.dispatcher.fates["echo"], 1)

    async def become(self, condition: Any) -> None:
        """Returns once that is so."""
        end = reactor.seconds() + DEADLINE
        while not condition():
            self.assertLess(reactor.seconds(), end, "not in time")
            await deferLater(reactor, 0.01)
