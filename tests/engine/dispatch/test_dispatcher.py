"""Tests of :mod:`xbot.engine.dispatch.dispatcher`."""

import threading
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import TestCase

from xbot.api.decorators import declared_by, fallback, hear, respond
from xbot.config.settings import MAX_RUNS
from xbot.engine.dispatch.dispatcher import CANNOT_DECRYPT, MAX_DENIALS, Dispatcher
from xbot.engine.dispatch.run_queue import MAX_WAITING
from xbot.engine.dispatch.runs import HOLD_FOR, RETRY_WITHIN
from xbot.engine.dispatch.waiting_notices import TELL_AFTER
from xbot.engine.loading.callables import call_of
from xbot.matching.pattern import Pattern
from xbot.model.access import Access, AccessList
from xbot.model.errors import NotConnected
from xbot.model.message import Message, NobodyListens
from xbot.model.people import People
from xbot.model.size_limit import UNBOUNDED
from xbot.process.threads import InThread
from xbot.runtime.answers import Answers
from xbot.runtime.failures import Failed
from xbot.runtime.responder import Responder, Route
from xbot.testing.journal import MemoryJournal

ROOM = "ops@rooms.example"
IN_ROOM = Message(
    f"{ROOM}/alice",
    f"{ROOM}/xbot",
    "xbot: go",
    payload={"type": "groupchat"},
    room=ROOM,
    nick="alice",
)
PRIVATE = evolve(IN_ROOM, payload={"type": "chat"})
DIRECT = Message("a@example.org/x", "xbot@example.org/bot", "go", payload={"type": "chat"})


def in_this_thread(function: Callable[..., Any], /, *args: Any, cancel: Any = None) -> Any:
    return maybeDeferred(function, *args)


def responder(
    function: Callable[..., object], in_thread: Any = in_this_thread, timeout: float = 30.0
) -> Responder:
    declared = [each for _, several in declared_by(function) for each in several]
    patterns = [each.pattern for each in declared] or [Pattern.match("go")]
    call = call_of(function, patterns, in_thread, clock=Clock())
    routes = tuple(Route(pattern, call) for pattern in patterns)
    return Responder(function.__name__.replace("_", "-"), routes, timeout=timeout)


class DispatcherCase(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.sent: list[Message] = []
        self.rooms: dict[str, frozenset[str] | None] = {}
        self.nick: str | None = "robo"
        # Of now, by nick, where it is another one than the message's.
        self.affiliations: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def dispatcher(self, *responders: Any, **options: Any) -> Dispatcher:
        return Dispatcher(
            [each if isinstance(each, Responder) else responder(each) for each in responders],
            options.get("send", self.sent.append),
            options.get("clock", self.clock),
            name="xbot",
            prefix="!",
            nick_in=lambda room: self.nick,
            rooms=self.rooms,
            journal=options.get("journal"),
            limits=options.get("limits"),
            measure=options.get("measure", lambda: UNBOUNDED),
            affiliation=lambda message: self.affiliations.get(
                message.nick or "", message.affiliation
            ),
        )

    def said(self) -> list[str]:
        bodies = [message.body for message in self.sent]
        self.sent.clear()
        return bodies

    def logged(self, level: LogLevel) -> list[dict[str, Any]]:
        return [
            event
            for event in self.events
            if event["log_level"] is level and event.get("log_namespace", "").startswith("xbot")
        ]


class MisuseTests(DispatcherCase):
    def test_usage(self) -> None:
        """What does not convert is answered with the usage and what is wrong; it is no failure."""

        @respond(r"go (?P<count>\w+)")
        def walk(message: Message, count: int) -> str:
            return str(count)

        @hear(r"say (?P<count>\w+)")
        def overhear(message: Message, count: int) -> str:
            return str(count)

        dispatcher = self.dispatcher(walk, overhear)
        dispatcher.got_message(evolve(IN_ROOM, body="xbot: go far"))
        self.assertEqual(self.said(), ["usage: walk\nCOUNT is no whole number"])
        dispatcher.got_message(evolve(IN_ROOM, body="say something"))
        self.assertEqual(self.said(), [])
        self.assertEqual(dispatcher.fates["misused"], 2)
        self.assertEqual(self.logged(LogLevel.warn) + self.logged(LogLevel.error), [])


class RoutingTests(DispatcherCase):
    def test_addressed(self) -> None:
        """In a room only what is addressed to name, nick or prefix is matched."""

        def go(message: Message) -> str:
            return "went"

        dispatcher = self.dispatcher(go)
        for body in ("xbot: go", "Robo, go", "!go"):
            dispatcher.got_message(evolve(IN_ROOM, body=body))
            self.assertEqual(self.said(), ["went"], body)
        for body in ("go", "alice: go", "xbot: went"):
            dispatcher.got_message(evolve(IN_ROOM, body=body))
            self.assertEqual(self.said(), [], body)
        self.nick = None
        dispatcher.got_message(evolve(IN_ROOM, body="robo: go"))
        self.assertEqual(self.said(), [])
        self.assertEqual(dispatcher.fates, {"dispatched": 3, "answered": 3, "unmatched": 4})

    def test_private(self) -> None:
        """What is said to the bot alone needs no name, and may have one."""

        def go(message: Message) -> str:
            return "went"

        dispatcher = self.dispatcher(go)
        for message in (DIRECT, PRIVATE):
            for body in ("go", " go\n", "xbot: go", "!go"):
                dispatcher.got_message(evolve(message, body=body))
                self.assertEqual([m.recipient for m in self.sent], [message.sender])
                self.assertEqual(self.said(), ["went"], body)

    def test_first_match_alone(self) -> None:
        """The first responder that matches answers, and nobody else."""

        def first(message: Message) -> str:
            return "first"

        def second(message: Message) -> str:
            return "second"

        @hear("go")
        def third(message: Message) -> str:
            return "third"

        self.dispatcher(third, first, second).got_message(IN_ROOM)
        self.assertEqual(self.said(), ["first"])

    def test_all_who_hear(self) -> None:
        """When none matches, all who hear something answer, once each."""

        @hear("(?P<what>tea)")
        @hear("e")
        def one(message: Message, what: str = "-") -> str:
            return f"one {what}"

        @hear("a")
        @respond("coffee")
        def two(message: Message) -> str:
            return "two"

        @hear("milk")
        def three(message: Message) -> str:
            return "three"

        dispatcher = self.dispatcher(one, two, three)
        dispatcher.got_message(evolve(IN_ROOM, body="I'd like tea, tea"))
        self.assertEqual(self.said(), ["one tea", "two"])
        self.assertEqual(dispatcher.fates, {"dispatched": 1, "answered": 2})

    def test_restricted_room(self) -> None:
        """Who may not answer in a room is not there, in private neither."""

        def one(message: Message) -> str:
            return "one"

        def two(message: Message) -> str:
            return "two"

        self.rooms[ROOM] = frozenset({"two"})
        dispatcher = self.dispatcher(one, two)
        for message, answer in ((IN_ROOM, "two"), (PRIVATE, "two"), (DIRECT, "one")):
            dispatcher.got_message(evolve(message, body="xbot go"))
            self.assertEqual(self.said(), [answer])

    def test_dropped(self) -> None:
        """The past, echoes and blanks run nothing, are counted, and logged for debugging."""

        def go(message: Message) -> str:
            return "went"

        dispatcher = self.dispatcher(go)
        dispatcher.got_message(evolve(IN_ROOM, delayed=True))
        dispatcher.got_message(evolve(IN_ROOM, echo=True))
        dispatcher.got_message(evolve(IN_ROOM, body=" "))
        dispatcher.got_message(evolve(IN_ROOM, sender=ROOM))
        self.assertEqual(self.sent, [])
        fates = {"delayed": 1, "echo": 1, "empty": 1, "room": 1}
        self.assertEqual(dispatcher.fates, fates)
        self.assertEqual(
            [e["fate"] for e in self.logged(LogLevel.debug)], ["delayed", "echo", "empty", "room"]
        )


class AnswerTests(DispatcherCase):
    def test_several(self) -> None:
        """Texts are replies, now or in the end, and silence is allowed."""

        def go(message: Message) -> list[str]:
            message.reply("at once")
            message.reply("as it is", code=True)
            message.reply(" ")
            return ["a", "b"]

        dispatcher = self.dispatcher(go)
        dispatcher.got_message(IN_ROOM)
        self.assertEqual(
            [(m.recipient, m.body) for m in self.sent],
            [
                (ROOM, "at once"),
                (ROOM, "```\nas it is\n```"),
                (ROOM, "a"),
                (ROOM, "b"),
            ],
        )
        self.assertEqual(dispatcher.fates["answered"], 1)

        def quiet(message: Message) -> None: ...

        dispatcher = self.dispatcher(quiet)
        dispatcher.got_message(IN_ROOM)
        self.assertEqual(dispatcher.fates, {"dispatched": 1, "silent": 1})

    def test_strange(self) -> None:
        """Control characters pass unchanged, and half a character too."""

        def strange(message: Message) -> list[str]:
            return ["a\0\x1b\ud800"]

        self.dispatcher(strange).got_message(IN_ROOM)
        self.assertEqual(self.said(), ["a\0\x1b\ud800"])

    def test_undelivered(self) -> None:
        """What cannot leave is counted and logged, whatever send raises, and ends nothing."""

        def send(message: Message) -> None:
            raise errors.pop()

        def go(message: Message) -> list[str]:
            return ["a", "b"]

        errors: list[Exception] = [ValueError("ours"), NotConnected(ROOM, "no link")]
        dispatcher = self.dispatcher(go, send=send)
        dispatcher.got_message(IN_ROOM)
        self.assertEqual(dispatcher.fates, {"dispatched": 1, "answered": 1, "undelivered": 2})
        self.assertEqual(len(self.logged(LogLevel.warn)), 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class FailureTests(DispatcherCase):
    def test_raises(self) -> None:
        """Whatever is raised, wherever: one line, one counter, one polite reply."""
        for error in (ValueError, SystemExit, GeneratorExit, CancelledError, RecursionError):

            def plain(message: Message, error: Any = error) -> None:
                raise error("{sender.__class__}")

            async def coroutine(message: Message, error: Any = error) -> None:
                raise error("{sender.__class__}")

            def before_anything(message: Message, groups: Any, error: Any = error) -> Any:
                raise error

            for bad in (
                responder(plain),
                responder(coroutine),
                Responder("bad", (Route(Pattern.match("go"), before_anything),)),
            ):
                self.events.clear()
                dispatcher = self.dispatcher(bad)
                dispatcher.got_message(IN_ROOM)
                self.assertEqual(self.said(), [f"{bad.name} failed; the log says why."])
                self.assertEqual(dispatcher.fates, {"dispatched": 1, "failed": 1})
                self.assertEqual(len(self.logged(LogLevel.error)), 1)
                self.assertEqual(len(self.flushLoggedErrors()), 1)
                self.successResultOf(dispatcher.idle())

    def test_wrong_types(self) -> None:
        """Bytes and other types are failures."""
        for wrong in (b"x", 3, {"a": 1}, object()):

            def go(message: Message, wrong: object = wrong) -> object:
                return wrong

            self.dispatcher(go).got_message(IN_ROOM)
            self.assertEqual(self.said(), ["go failed; the log says why."])
            (failure,) = self.flushLoggedErrors(TypeError)
            self.assertIn(f"returned {type(wrong).__name__}:", str(failure.value))

    def test_half_way(self) -> None:
        """What was said before the failure is sent before it is reported."""

        def go(message: Message) -> Any:
            yield "one"
            raise ValueError

        dispatcher = self.dispatcher(go)
        dispatcher.got_message(IN_ROOM)
        self.assertEqual(self.said(), ["one", "go failed; the log says why."])
        self.assertEqual(dispatcher.fates["failed"], 1)
        self.flushLoggedErrors(ValueError)

    def test_failed(self) -> None:
        """A responder may say itself how it failed; the log has the reason, and no traceback."""

        def go(message: Message) -> None:
            raise Failed("no tea left", "stock is {0}")

        dispatcher = self.dispatcher(go)
        dispatcher.got_message(IN_ROOM)
        self.assertEqual(self.said(), ["no tea left"])
        self.assertEqual(dispatcher.fates["failed"], 1)
        (event,) = self.logged(LogLevel.warn)
        self.assertEqual(event["reason"], "stock is {0}")


def go(message: Message) -> str:
    return "went"


class EncryptedTests(DispatcherCase):
    def test_sentence(self) -> None:
        """An encrypted command is not obeyed; its sender is told so, once in a while."""
        dispatcher = self.dispatcher(go)
        in_room, direct = evolve(IN_ROOM, encrypted=True), evolve(DIRECT, encrypted=True)
        for message in (direct, direct, in_room, in_room):
            dispatcher.got_message(message)
        told = [(each.recipient, each.body) for each in self.sent]
        self.assertEqual(told, [(DIRECT.sender, CANNOT_DECRYPT), (ROOM, CANNOT_DECRYPT)])
        self.assertEqual(dispatcher.fates, {"encrypted": 4})
        self.sent.clear()
        self.clock.advance(61)
        for message in (direct, in_room):
            dispatcher.got_message(message)
        self.assertEqual([each.recipient for each in self.sent], [DIRECT.sender])

    def test_no_answer(self) -> None:
        """The past, and what the bot said itself, is not answered."""
        dispatcher = self.dispatcher(go)
        for message in (evolve(DIRECT, delayed=True), evolve(IN_ROOM, echo=True)):
            dispatcher.got_message(evolve(message, encrypted=True))
        self.assertEqual(self.sent, [])


class LimitTests(DispatcherCase):
    def test_never_fires(self) -> None:
        """A run that does not end is cancelled at its limit, and that is said once."""
        cancelled: list[Deferred[str]] = []

        async def never(message: Message) -> str:
            return await Deferred(cancelled.append)

        dispatcher = self.dispatcher(responder(never, timeout=2.5))
        dispatcher.got_message(IN_ROOM)
        self.clock.advance(2.4)
        self.assertEqual(self.said(), [])
        self.clock.advance(0.1)
        self.assertEqual(self.said(), ["never did not finish within 2.5 s."])
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(len(self.logged(LogLevel.warn)), 1)
        self.assertEqual(dispatcher.fates, {"dispatched": 1, "timed-out": 1})
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(dispatcher.idle())

    def test_output_until_its_limit(self) -> None:
        """What a run had to show at its limit is shown behind the mark."""

        def slow(message: Message, groups: object) -> Deferred[Answers]:
            return Deferred(lambda running: running.callback(Answers(("step 1 of 2",))))

        dispatcher = self.dispatcher(Responder("slow", (Route(Pattern.match("go"), slow),)))
        dispatcher.got_message(IN_ROOM)
        self.clock.advance(30)
        self.assertEqual(self.said(), ["slow did not finish within 30 s. Until then:\nstep 1 of 2"])
        self.assertEqual(dispatcher.fates, {"dispatched": 1, "timed-out": 1})
        self.successResultOf(dispatcher.idle())

    def test_answers_after_its_limit(self) -> None:
        """An answer after the limit is ignored, but the run counts as at work until then."""
        ends: list[Deferred[str]] = []

        async def stubborn(message: Message) -> str:
            while True:
                ends.append(Deferred())
                try:
                    return await ends[-1]
                except CancelledError:
                    pass

        dispatcher = self.dispatcher(stubborn)
        for number in range(MAX_RUNS):
            dispatcher.got_message(evolve(IN_ROOM, sender=f"{ROOM}/{number}"))
        self.clock.advance(30)
        self.assertEqual(self.said(), ["stubborn did not finish within 30 s."] * MAX_RUNS)
        dispatcher.got_message(IN_ROOM)
        self.clock.advance(TELL_AFTER)
        self.assertEqual(self.said(), ['"go" waits: stubborn is busy.'])
        started = len(ends)
        for deferred in ends[:]:
            if not deferred.called:
                deferred.callback("late")
        self.assertEqual((self.said(), len(ends)), ([], started + 1))
        ends[-1].callback("in time")
        self.assertEqual(self.said(), ["in time"])

    def test_too_many_runs(self) -> None:
        """The fifth run of one responder waits; beyond the queue it is refused; others are not."""
        ends: list[Deferred[str]] = []

        async def slow(message: Message) -> str:
            ends.append(Deferred())
            return await ends[-1]

        @respond("other")
        def other(message: Message) -> str:
            return "here"

        dispatcher = self.dispatcher(slow, other)
        for number in range(MAX_RUNS + MAX_WAITING + 1):
            dispatcher.got_message(evolve(IN_ROOM, sender=f"{ROOM}/{number}"))
        self.assertEqual(self.said(), ["slow is busy; try again in a moment."])
        self.assertEqual(len(ends), MAX_RUNS)
        dispatcher.got_message(evolve(IN_ROOM, body="xbot: other"))
        self.assertEqual(self.said(), ["here"])
        ends[0].callback("done")
        self.assertEqual(self.said(), ["done"])
        self.assertEqual(len(ends), MAX_RUNS + 1)
        self.assertEqual(dispatcher.fates["busy"], 1)

    def test_one_person_leaves_a_run_to_others(self) -> None:
        """Who has things run without end, also under several addresses, has one at a time.

        After 30 s the next ones start as well, but for one that is left to others.
        """
        runs: list[Deferred[str]] = []

        async def slow(message: Message) -> str:
            runs.append(Deferred())
            return await runs[-1]

        dispatcher = self.dispatcher(responder(slow, timeout=900.0))
        for resource in range(MAX_RUNS + 2):
            sender = f"mallory@example.org/{resource}"
            dispatcher.got_message(evolve(IN_ROOM, sender=sender, identity="mallory@example.org"))
        self.assertEqual(len(runs), 1)
        for _ in range(MAX_RUNS + 2):
            self.clock.advance(HOLD_FOR)
        self.assertEqual(self.said(), ['"go" and 4 more wait: 1 before you.'])
        self.assertEqual(len(runs), MAX_RUNS - 1)
        dispatcher.got_message(IN_ROOM)
        self.assertEqual((self.said(), len(runs)), ([], MAX_RUNS))
        while pending := [run for run in runs if not run.called]:
            pending[0].callback("")
        self.assertEqual((dispatcher._runs._at_work_for, dispatcher._runs._queues), ({}, {}))

    def test_cancel_raises(self) -> None:
        """A canceller that raises does not stop anything."""

        def canceller(deferred: object) -> None:
            raise ValueError("never mind")

        pending: Deferred[Answers] = Deferred(canceller)
        bad = Responder("bad", (Route(Pattern.match("go"), lambda message, groups: pending),))
        self.dispatcher(bad).got_message(IN_ROOM)
        self.clock.advance(30)
        self.assertEqual(self.said(), ["bad did not finish within 30 s."])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_blocks_in_a_thread(self) -> None:
        """A function that blocks for good costs a thread; others wait for one, then it is busy."""
        release = threading.Event()
        self.addCleanup(release.set)
        in_thread = InThread(reactor, limit_each=1)

        def blocks(message: Message) -> None:
            release.wait()

        dispatcher = self.dispatcher(responder(blocks, in_thread))
        dispatcher.got_message(IN_ROOM)
        self.clock.advance(30)
        self.assertEqual(self.said(), ["blocks did not finish within 30 s."])
        dispatcher.got_message(IN_ROOM)
        self.clock.pump([1.0] * (int(RETRY_WITHIN) - 1))
        self.assertEqual(self.said(), ['"go" waits: blocks is busy.'])
        self.clock.advance(1)
        self.assertEqual(self.said(), ["blocks is busy; try again in a moment."])
        self.assertEqual(dispatcher.fates, {"dispatched": 2, "timed-out": 1, "busy": 1})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_thread(self) -> None:
        """A function in a real thread is answered, and idle waits for it."""

        def go(message: Message) -> str:
            return "went"

        dispatcher = self.dispatcher(responder(go, InThread(reactor)))
        dispatcher.got_message(IN_ROOM)
        await dispatcher.idle()
        self.assertEqual(self.said(), ["went"])


class StopTests(DispatcherCase):
    def test_idle(self) -> None:
        """idle fires with the last run's end, at once when there is none."""
        ends: list[Deferred[str]] = []

        async def slow(message: Message) -> str:
            ends.append(Deferred())
            return await ends[-1]

        dispatcher = self.dispatcher(slow)
        self.successResultOf(dispatcher.idle())
        dispatcher.got_message(IN_ROOM)
        dispatcher.got_message(IN_ROOM)
        idle = dispatcher.idle()
        ends[0].callback("a")
        self.assertNoResult(idle)
        ends[1].callback("b")
        self.successResultOf(idle)
        self.assertEqual(self.said(), ["a", "b"])

    def test_stop(self) -> None:
        """stop cancels what is under way, says nothing, and starts nothing more."""
        cancelled: list[object] = []

        async def never(message: Message) -> str:
            return await Deferred(cancelled.append)

        dispatcher = self.dispatcher(never)
        dispatcher.got_message(IN_ROOM)
        idle = dispatcher.idle()
        dispatcher.stop()
        self.successResultOf(idle)
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        dispatcher.got_message(IN_ROOM)
        self.assertEqual(self.said(), [])
        self.assertEqual(dispatcher.fates, {"dispatched": 1, "cancelled": 1, "stopped": 1})

    def test_silent_run(self) -> None:
        """A responder whose Deferred has fired already leaves nothing behind."""
        quiet = Responder(
            "q", (Route(Pattern.match("go"), lambda message, groups: succeed(Answers())),)
        )
        dispatcher = self.dispatcher(quiet)
        dispatcher.got_message(IN_ROOM)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(dispatcher.fates, {"dispatched": 1, "silent": 1})


class ReplyTests(DispatcherCase):
    def test_too_late(self) -> None:
        """What is said after the time limit is not said."""
        kept: list[Message] = []

        def go(message: Message) -> Deferred[None]:
            kept.append(message)
            return Deferred()

        slow = evolve(responder(go, timeout=5.0), name="slow")
        dispatcher = self.dispatcher(slow)
        dispatcher.got_message(IN_ROOM)
        kept[0].reply("in time")
        self.clock.advance(5)
        kept[0].reply("too late")
        self.assertEqual(
            [m.body for m in self.sent], ["in time", "slow did not finish within 5 s."]
        )

    def test_wrong_types(self) -> None:
        """What is no text is a failure of whoever wants to say it."""
        for wrong in (b"x", 3, None):

            def go(message: Message, wrong: Any = wrong) -> None:
                message.reply(wrong)

            self.dispatcher(go).got_message(IN_ROOM)
            self.assertEqual(self.said(), ["go failed; the log says why."])
            (failure,) = self.flushLoggedErrors(TypeError)
            self.assertEqual(str(failure.value), f"replied with {type(wrong).__name__}")

    def test_flood(self) -> None:
        """A run says so many things, however it says them, and then one that tells."""

        def go(message: Message) -> list[str]:
            for number in range(1000):
                message.reply(str(number))
            return ["the end"]

        self.dispatcher(go).got_message(IN_ROOM)
        self.assertEqual(
            [m.body for m in self.sent], [*map(str, range(10)), "[cut after 10 messages]"]
        )

    def test_from_a_thread(self) -> None:
        """What is said in a thread is brought to the reactor's."""
        said: list[object] = []

        def go(message: Message) -> Deferred[None]:
            thread = threading.Thread(target=message.reply, args=("from afar",))
            thread.start()
            thread.join()
            said.append(list(self.sent))
            return Deferred()

        brought: list[Any] = []
        self.clock.callFromThread = lambda *call: brought.append(call)  # type: ignore[attr-defined]
        self.dispatcher(go).got_message(IN_ROOM)
        self.assertEqual(said, [[]])
        for function, *arguments in brought:
            function(*arguments)
        self.assertEqual([m.body for m in self.sent], ["from afar"])

    def test_not_its_message(self) -> None:
        """A message that nobody is answering cannot be replied to."""
        with self.assertRaises(NobodyListens):
            IN_ROOM.reply("x")


class FallbackTests(DispatcherCase):
    def test_last(self) -> None:
        """A fallback gets what is said to us and fits nothing else, and nothing else."""

        @fallback
        def shrug(message: Message) -> str:
            return "?"

        @respond("go")
        def go(message: Message) -> str:
            return "went"

        @hear("tea")
        def tea(message: Message) -> str:
            return "tea!"

        dispatcher = self.dispatcher(shrug, go, tea)
        for body in ("xbot: what", "xbot: go", "xbot: tea", "what", "tea"):
            dispatcher.got_message(evolve(IN_ROOM, body=body))
        self.assertEqual([m.body for m in self.sent], ["?", "went", "tea!", "tea!"])

    def test_in_turn(self) -> None:
        """Fallbacks are asked in their order until one says something, or hands the text on."""

        @fallback
        async def silent(message: Message) -> None:
            pass

        @fallback
        def polite(message: Message) -> str:
            return "?" if "tea" in message.body else ""

        @fallback
        def rude(message: Message) -> str:
            return "!"

        @respond("go")
        def go(message: Message) -> str:
            return "went"

        dispatcher = self.dispatcher(silent, polite, rude, go)
        for body in ("xbot: tea", "xbot: what"):
            dispatcher.got_message(evolve(IN_ROOM, body=body))
        self.assertEqual(self.said(), ["?", "!"])

        @fallback
        async def hands_on(message: Message) -> None:
            dispatcher.obey(message, "go")

        dispatcher = self.dispatcher(silent, hands_on, rude, go)
        dispatcher.got_message(evolve(IN_ROOM, body="xbot: what"))
        self.assertEqual(self.said(), ["went"])
        self.assertEqual(len(dispatcher._fallbacks), 0)

    def test_not_for_all(self) -> None:
        """One that is not for whoever speaks leaves it to the next, unless it is for everyone."""

        @fallback
        def secret(message: Message) -> str:
            return "secret"

        @fallback
        def open_to_all(message: Message) -> str:
            return "open"

        closed = evolve(responder(secret), access=ONLY_ALICE)
        dispatcher = self.dispatcher(closed, open_to_all)
        dispatcher.got_message(evolve(IN_ROOM, body="xbot: what"))
        dispatcher.got_message(evolve(ALICE, body="xbot: what"))
        (route,) = closed.routes
        closed = evolve(closed, routes=(evolve(route, for_everyone=True),))
        dispatcher = self.dispatcher(closed, open_to_all)
        dispatcher.got_message(evolve(IN_ROOM, body="xbot: what"))
        self.assertEqual(self.said(), ["open", "secret", "secret"])


class ObeyTests(DispatcherCase):
    def test_depth(self) -> None:
        """What is said instead of what was said ends, however responders play into each other."""
        texts: list[str] = []

        @respond("(?P<word>a|b)")
        async def swap(message: Message, word: str) -> None:
            texts.append(word)
            dispatcher.obey(message, "b" if word == "a" else "a")

        dispatcher = self.dispatcher(swap)
        dispatcher.got_message(evolve(IN_ROOM, body="xbot: a"))
        self.assertEqual(texts, ["a", "b", "a", "b"])
        self.assertEqual(self.said(), ["That leads from one thing to the next without end."])

    def test_once(self) -> None:
        """Each text is obeyed once for a message, and once for another one."""

        @respond("go")
        async def go(message: Message) -> None:
            for _ in range(3):
                dispatcher.obey(message, "walk")
            dispatcher.obey(message, "run")

        @respond("walk|run")
        async def walk(message: Message) -> str:
            return message.body

        dispatcher = self.dispatcher(go, walk)
        for _ in range(2):
            dispatcher.got_message(IN_ROOM)
        self.assertEqual(self.said(), ["xbot: walk", "xbot: run"] * 2)

    def test_in_the_same_name(self) -> None:
        """It is said by the same person in the same place, and refused to the same."""
        said: list[Message] = []

        @respond("go")
        async def go(message: Message) -> None:
            dispatcher.obey(message, "walk")

        @respond("walk")
        async def walk(message: Message) -> str:
            said.append(message)
            return "walks"

        dispatcher = self.dispatcher(go, evolve(responder(walk), access=ONLY_ALICE))
        dispatcher.got_message(ALICE)
        dispatcher.got_message(evolve(ALICE, payload={"type": "chat"}, body="go"))
        dispatcher.got_message(IN_ROOM)
        first, second = said
        self.assertEqual(evolve(first, key=None), evolve(ALICE, body="xbot: walk", hops=1))
        self.assertFalse(second.is_public)
        self.assertEqual(len(self.said()), 3)
        self.assertEqual(dispatcher.fates["denied"], 1)


ALICE = evolve(IN_ROOM, identity="alice@example.org")
ONLY_ALICE = Access(allow=AccessList(People.parse(["alice@example.org"])))


class AccessTests(DispatcherCase):
    def go(self, access: Access) -> Responder:
        def go(message: Message) -> str:
            return "went"

        return evolve(responder(go), access=access)

    def test_denied(self) -> None:
        """It runs for those who may; others are told so, logged and counted."""
        dispatcher = self.dispatcher(self.go(ONLY_ALICE))
        for message in (
            ALICE,
            IN_ROOM,
            evolve(ALICE, identity="mallory@example.org", nick="alice"),
        ):
            dispatcher.got_message(message)
        self.assertEqual(
            [m.body for m in self.sent],
            [
                "went",
                "go is not for everyone, and I cannot see here who you are; ask me directly.",
                "go is not for you, alice.",
            ],
        )
        self.assertEqual(dispatcher.fates["denied"], 2)
        self.assertEqual(len(self.logged(LogLevel.warn)), 2)

    def test_denied_again_and_again(self) -> None:
        """In a minute each is told once, and logged and journalled once; all are counted."""
        journal = MemoryJournal()
        dispatcher = self.dispatcher(self.go(ONLY_ALICE), journal=journal)
        for minute in range(1, 3):
            for key in range(50):
                dispatcher.got_message(evolve(IN_ROOM, key=f"{minute} {key}"))
            self.assertEqual(len(self.sent), minute)
            self.assertEqual(len(self.logged(LogLevel.warn)), minute)
            self.assertEqual(len(journal.entries), minute)
            self.clock.advance(60)
        self.assertEqual(dispatcher.fates["denied"], 100)
        for number in range(2 * MAX_DENIALS):
            dispatcher.got_message(evolve(IN_ROOM, sender=f"{ROOM}/n{number}", key=f"n{number}"))
        self.assertEqual(len(self.sent), 2 + MAX_DENIALS // 2)
        # Those of one room leave some to others.
        elsewhere = evolve(IN_ROOM, room="tea@rooms.example", sender="tea@rooms.example/eve")
        dispatcher.got_message(evolve(elsewhere, key="elsewhere"))
        self.assertEqual(len(self.sent), 3 + MAX_DENIALS // 2)

    def test_heard(self) -> None:
        """Who asked nothing of us is told nothing."""

        @hear("tea")
        def tea(message: Message) -> str:
            return "tea!"

        dispatcher = self.dispatcher(evolve(responder(tea), access=ONLY_ALICE))
        dispatcher.got_message(evolve(IN_ROOM, body="tea"))
        self.assertEqual(self.sent, [])
        self.assertEqual(dispatcher.fates["denied"], 1)

    def test_audited(self) -> None:
        """The journal tells who was denied what has effects."""
        journal = MemoryJournal()
        dispatcher = self.dispatcher(self.go(ONLY_ALICE), journal=journal)
        dispatcher.got_message(evolve(IN_ROOM, key="1"))
        (entry,) = journal.entries.values()
        self.assertEqual((entry.responder, entry.outcome), ("go", "denied"))

    def test_elsewhere(self) -> None:
        """Where it does not answer, it is as if it were not there."""
        other = evolve(self.go(Access(rooms=frozenset({"other@rooms.example"}))), name="other")
        dispatcher = self.dispatcher(other, self.go(Access(direct=False)))
        for message in (IN_ROOM, PRIVATE, DIRECT):
            dispatcher.got_message(message)
        self.assertEqual(
            [(m.recipient, m.body) for m in self.sent],
            [(ROOM, "went")] * 1 + [(DIRECT.sender, "went")],
        )
