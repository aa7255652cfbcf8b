"""Tests of :mod:`xbot.runtime.scope` and :mod:`xbot.api.context`."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, inlineCallbacks, succeed
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from tests.daemon import ROOT
from tests.environment import FakeEnvironment
from xbot import Jid, brain, on_close, say
from xbot.model.errors import InvalidJid
from xbot.model.message import Message
from xbot.process.threads import InThread
from xbot.runtime.answers import Answers
from xbot.runtime.failures import Failed
from xbot.runtime.scope import (
    MAX_SAID,
    PERIOD,
    STOP_LIMIT,
    MayNotWrite,
    OutsideResponder,
    SaysTooMuch,
    Scope,
    State,
    Unloaded,
)

MESSAGE = Message("alice@example.org/a", "xbot@example.org", "ping")
ROOM = "ops@rooms.example"
LIMIT = 30.0


class ScopeCase(TestCase):
    def setUp(self) -> None:
        self.around = FakeEnvironment()
        self.around.rooms.add(ROOM)
        self.clock = self.around.clock
        self.scope = Scope("tea", self.around.environment(), LIMIT)
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.done: list[str] = []

    def said(self) -> list[tuple[str, str, str]]:
        said = [(each.recipient, each.payload["type"], each.body) for each in self.around.said]
        self.around.said.clear()
        return said

    def logged(self, text: str) -> list[dict[str, Any]]:
        return [each for each in self.events if text in (each.get("log_format") or "")]


class SayTests(ScopeCase):
    def test_where(self) -> None:
        """A room hears it as a room does, an occupant and a person alone."""
        with self.scope.entered():
            for to in (
                ROOM,
                "OPS@Rooms.Example",
                f"{ROOM}/Bob",
                "bob@example.org",
                Jid(None, "x"),
            ):
                say(to, "hi")
        self.assertEqual(
            self.said(),
            [
                (ROOM, "groupchat", "hi"),
                (ROOM, "groupchat", "hi"),
                (f"{ROOM}/Bob", "chat", "hi"),
                ("bob@example.org", "chat", "hi"),
                ("x", "chat", "hi"),
            ],
        )

    def test_who(self) -> None:
        """A person whom the ini does not name is not written to; rooms and occupants always."""
        self.around.people = {"alice@example.org"}
        for to in "alice@example.org/phone", ROOM, f"{ROOM}/Bob":
            self.scope.say(to, "hi")
        for to in "bob@example.org", "example.org":
            wrong = self.assertRaises(MayNotWrite, self.scope.say, to, "hi")
            self.assertIn(f"may not write to {to}", str(wrong))
        self.assertEqual(len(self.said()), 3)

    def test_private_message_waits_for_its_room(self) -> None:
        """What is said to an occupant belongs to the room, which the outbox goes by."""
        self.scope.say(f"{ROOM}/bob", "hi")
        self.assertEqual([each.room for each in self.around.said], [ROOM])

    def test_outside(self) -> None:
        """Outside of a responder there is nobody to say or to remember anything."""
        for what in (
            lambda: say(ROOM, "x"),
            lambda: brain["x"],
            lambda: brain.set("x", 1),
            lambda: list(brain),
            lambda: on_close(print),
        ):
            self.assertRaises(OutsideResponder, what)

    def test_wrong(self) -> None:
        """What is no address, or no text, is refused where it is said; blank text is not said."""
        self.assertRaises(InvalidJid, self.scope.say, "a@@b", "x")
        self.assertRaises(TypeError, self.scope.say, ROOM, b"x")
        self.scope.say(ROOM, " \n")
        self.assertEqual(self.said(), [])

    def test_too_much(self) -> None:
        """Who says too much is told so; after a while there is room again."""
        for _ in range(MAX_SAID):
            self.scope.say(ROOM, "x")
        self.assertRaises(SaysTooMuch, self.scope.say, ROOM, "x")
        self.assertEqual(len(self.said()), MAX_SAID)
        self.clock.advance(PERIOD)
        self.scope.say(ROOM, "again")
        self.assertEqual(len(self.said()), 1)

    async def test_from_a_thread(self) -> None:
        """In a thread it is the same responder, and the reactor's thread says it."""
        threads: list[int] = []
        around = FakeEnvironment(reactor, InThread(reactor))  # type: ignore[arg-type]
        environment = around.environment()
        scope = Scope("tea", environment)
        spoken: Deferred[None] = Deferred()

        def put(message: Message) -> None:
            threads.append(threading.get_ident())
            spoken.callback(None)

        self.patch(around, "said", type("Said", (), {"append": staticmethod(put)})())
        scope._environment = around.environment()
        await scope.run(scope._environment.in_thread, say, ROOM, "hi")
        await spoken
        self.assertEqual(threads, [threading.get_ident()])


class ContextTests(ScopeCase):
    def test_two_at_once(self) -> None:
        """Coroutines that wait for each other's turns keep to their own responder."""
        other = Scope("coffee", self.around.environment())
        turns: list[Deferred[None]] = []

        async def work(message: Message, groups: Mapping[str, str]) -> Answers:
            for _ in range(2):
                turn: Deferred[None] = Deferred()
                turns.append(turn)
                await turn
                brain[f"turn{len(brain)}"] = True
            return Answers()

        @inlineCallbacks
        def older(message: Message, groups: Mapping[str, str]):  # type: ignore[no-untyped-def]
            turn: Deferred[None] = Deferred()
            turns.append(turn)
            yield turn
            brain["older"] = True
            return Answers()

        ends = [
            self.scope.bound(lambda m, g: Deferred.fromCoroutine(work(m, g)), "match")(MESSAGE, {}),
            other.bound(lambda m, g: Deferred.fromCoroutine(work(m, g)), "match")(MESSAGE, {}),
            other.bound(older, "match")(MESSAGE, {}),
        ]
        while turns:
            turns.pop(0).callback(None)
        for end in ends:
            self.successResultOf(end)
        self.assertEqual(set(self.around.brain.namespace("tea")), {"turn0", "turn1"})
        self.assertEqual(set(self.around.brain.namespace("coffee")), {"turn0", "older", "turn2"})


class BrainTests(ScopeCase):
    def test_is_a_dict(self) -> None:
        """It does what a dict does, with the memory of the responder's own name."""
        with self.scope.entered():
            brain["a"] = 1
            brain.setdefault("b", 2)
            brain.update(c=3)
            self.assertEqual(
                (brain["a"], brain.get("x"), "b" in brain, len(brain)), (1, None, True, 3)
            )
            del brain["a"]
            self.assertEqual((brain.pop("b"), brain.pop("b", None)), (2, None))
            self.assertRaises(KeyError, brain.pop, "b")
            self.assertEqual(brain.popitem(), ("c", 3))
            brain.set("d", 4, ttl=60)
            self.assertLessEqual(brain.time_left("d"), 60)
            self.assertEqual(brain.increment("n"), 1)
            del brain["n"]
            self.assertEqual(dict(brain), {"d": 4})
        self.assertEqual(self.around.brain.namespace("tea"), {"d": 4})
        self.assertNotIn("4", repr(brain))

    def test_saved(self) -> None:
        """There is something to wait for after a change, and only then."""
        saving: Deferred[None] = Deferred()
        self.around.saving = lambda: saving
        with self.scope.entered():
            brain.get("x")
            self.assertIsNone(self.scope.unsaved.saved())
            for change in (lambda: brain.update(x=1), lambda: brain.pop("x"), brain.clear):
                change()
                saved = self.scope.unsaved.saved()
                assert saved is not None
                self.assertNoResult(saved)
                saving.callback(None)
                self.assertEqual(self.successResultOf(saved), "")
                self.assertIsNone(self.scope.unsaved.saved())
                saving = Deferred()

    def test_name(self) -> None:
        """``from xbot import brain`` is it, whatever of xbot was imported before."""
        for first in ("xbot.state.brain", "xbot.app.service", "xbot"):
            code = f"import {first}; from xbot import brain; print(type(brain).__name__)"
            out = subprocess.run(
                [sys.executable, "-c", code],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
            self.assertEqual(out.stdout, "OwnMemory\n", first)


class LifeTests(ScopeCase):
    def call(self, kind: Any = "match") -> Deferred[Answers]:
        return self.scope.bound(lambda m, g: succeed(Answers(("tea",))), kind)(MESSAGE, {})

    def test_order(self) -> None:
        """Closing stops the timers, runs ``stop``, then what was given to on_close, last first."""
        self.scope.add_life(None, lambda: succeed(self.done.append("stop")))
        self.scope.add_timer("timer", 10, False, lambda: succeed(self.done.append("timer")))
        with self.scope.entered():
            on_close(lambda: self.done.append("first"))

            @on_close
            async def second() -> None:
                say("bob@example.org", "bye")
                self.done.append("second")

        self.successResultOf(self.scope.start())
        self.clock.advance(10)
        self.assertEqual(self.done, [])
        self.scope.begin()
        self.clock.advance(10)
        self.successResultOf(self.scope.close())
        self.successResultOf(self.scope.close())
        self.assertEqual(self.done, ["timer", "stop", "second", "first"])
        self.assertEqual(len(self.said()), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        for what in (lambda: self.scope.say(ROOM, "x"), lambda: self.scope.memory):
            self.assertRaises(Unloaded, what)

    def test_failing_ends(self) -> None:
        """One thing that fails, or takes too long, on being stopped keeps nothing else from it."""
        self.scope.add_life(None, Deferred)
        self.scope.start()
        self.scope.on_close(lambda: self.done.append("closed"))
        self.scope.on_close(lambda: 1 / 0)
        closed = self.scope.close()
        self.clock.advance(STOP_LIMIT)
        self.successResultOf(closed)
        self.assertEqual(self.done, ["closed"])
        self.assertEqual(len(self.logged("failed while it was stopped")), 2)
        self.assertEqual(len(self.flushLoggedErrors()), 2)

    def test_runs_end_first(self) -> None:
        """What runs when it is closed may end, within the limit; what comes then is refused."""
        self.scope.add_life(None, lambda: succeed(self.done.append("stop")))
        self.scope.start()
        running: Deferred[Answers] = Deferred()
        bound = self.scope.bound(lambda m, g: running, "match")
        bound(MESSAGE, {})
        closed = self.scope.close()
        self.assertEqual(self.done, [])
        running.callback(Answers())
        self.clock.advance(0)
        self.successResultOf(closed)
        self.assertEqual(self.done, ["stop"])
        error = self.failureResultOf(self.call(), Failed).value
        self.assertEqual(error.answer, "tea was just reloaded; say it again.")

    def test_runs_that_do_not_end(self) -> None:
        """A run that never ends is not waited for longer than the limit."""
        self.scope.bound(lambda m, g: Deferred(), "match")(MESSAGE, {})
        closed = self.scope.close()
        self.clock.advance(LIMIT)
        self.successResultOf(closed)

    def test_start(self) -> None:
        """Who asks while it starts is answered once it has."""
        starting: Deferred[object] = Deferred()
        self.scope.add_life(lambda: starting, None)
        started = self.scope.start()
        answer = self.call()
        self.assertNoResult(answer)
        starting.callback(None)
        self.successResultOf(started)
        self.assertEqual(self.successResultOf(answer).said, ("tea",))

    def test_failing_start(self) -> None:
        """When it cannot be started, it is undone at once, and says so to whoever asks it."""
        self.scope.on_close(lambda: self.done.append("closed"))
        self.scope.add_life(None, lambda: succeed(self.done.append("stopped")))
        self.scope.add_life(
            lambda: fail(OSError("no tea")), lambda: succeed(self.done.append("never"))
        )
        self.scope.add_timer("timer", 10, True, lambda: succeed(self.done.append("timer")))
        self.failureResultOf(self.scope.start(), OSError)
        self.scope.begin()
        self.assertIs(self.scope.state, State.FAILED)
        error = self.failureResultOf(self.call(), Failed).value
        self.assertEqual(error.answer, "tea is not available; the log says why.")
        self.assertEqual(self.successResultOf(self.call("hear")), Answers())
        self.successResultOf(self.scope.close())
        self.assertEqual(self.done, ["stopped", "closed"])

    def test_start_without_end(self) -> None:
        """A start that takes too long has failed."""
        self.scope.add_life(Deferred, None)
        started = self.scope.start()
        self.clock.advance(LIMIT)
        self.failureResultOf(started)
        self.assertIs(self.scope.state, State.FAILED)

    def test_closed_before_it_starts(self) -> None:
        """What was closed is not started any more."""
        self.scope.add_life(lambda: succeed(self.done.append("start")), None)
        self.successResultOf(self.scope.close())
        self.successResultOf(self.scope.start())
        self.scope.begin()
        self.assertEqual((self.done, self.scope.state), ([], State.CLOSED))

    def test_closed_while_starting(self) -> None:
        """What is closed while it starts is not waited for, and is undone."""
        self.scope.add_life(Deferred, lambda: succeed(self.done.append("stop")))
        started = self.scope.start()
        self.scope.on_close(lambda: self.done.append("closed"))
        self.successResultOf(self.scope.close())
        self.failureResultOf(started)
        self.assertIs(self.scope.state, State.CLOSED)
        self.assertEqual(self.done, ["closed"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
