"""Tests of :mod:`xbot.engine.dispatch.run_queue`, alone and in a dispatcher."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.engine.dispatch.test_dispatcher import DIRECT, IN_ROOM, ROOM, DispatcherCase, responder
from tests.environment import FakeEnvironment
from xbot.api.decorators import hear, respond
from xbot.config.settings import ResponderSettings
from xbot.engine.dispatch.dispatcher import Dispatcher
from xbot.engine.dispatch.run_queue import MAX_WAITING, RunQueue
from xbot.engine.dispatch.runs import HOLD_FOR, WAIT_WITHIN
from xbot.engine.dispatch.waiting_notices import TELL_AFTER
from xbot.engine.loading.loader import load_responders
from xbot.matching.pattern import Pattern
from xbot.model.access import Access, AccessList
from xbot.model.message import Message
from xbot.model.people import People
from xbot.process.threads import InThread, NotStarted
from xbot.runtime.answers import collect
from xbot.runtime.responder import Responder, Route
from xbot.testing.journal import MemoryJournal

PEOPLE = ("a@example.org", "b@example.org", "c@example.org")

#: An event: a person's command, or the end of a run at work (by number, modulo).
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("end"), st.integers(0, 3)),
    ),
    max_size=150,
)


class AnyOrderTests(SynchronousTestCase):
    """Any order of commands and of ends, through the whole dispatcher."""

    @settings(max_examples=150, deadline=None)
    @given(EVENTS, st.integers(1, 4))
    def test_any(self, events: list[tuple[str, Any]], runs: int) -> None:
        """Each person's commands run and are answered in order, within the bounds; each command
        is answered, or refused and counted once."""
        clock, sent = Clock(), []
        at_work: list[tuple[str, int, Deferred[Any]]] = []
        started: dict[str, list[int]] = {person: [] for person in PEOPLE}

        def call(message: Message, groups: dict[str, str]) -> Deferred[Any]:
            person, number = str(message.identity), int(groups["n"])
            started[person].append(number)
            self.assertNotIn(person, [other for other, _, _ in at_work])
            at_work.append((person, number, Deferred()))
            self.assertLessEqual(len(at_work), runs)
            return at_work[-1][2]

        route = Route(Pattern.match(r"do (?P<n>\d+)"), call, effect=False)
        dispatcher = Dispatcher(
            [Responder("do", (route,), runs=runs)],
            sent.append,
            clock,
            name="xbot",
            prefix="",
            nick_in=lambda room: None,
            rooms={},
        )

        def end(which: int) -> None:
            _, number, deferred = at_work.pop(which % len(at_work))
            deferred.callback(collect(f"did {number}"))

        said = dict.fromkeys(PEOPLE, 0)
        for kind, what in events:
            if kind == "end":
                if at_work:
                    end(what)
                continue
            said[what] += 1
            dispatcher.got_message(
                evolve(DIRECT, sender=f"{what}/x", identity=what, body=f"do {said[what]}")
            )
            queue = dispatcher._runs._queues["do"]
            self.assertLessEqual(queue._waiting, MAX_WAITING)
            for person in PEOPLE:
                own = len(queue._waiting_of(person)) if person in queue._lanes else 0
                self.assertLessEqual(own, MAX_WAITING // 2)
        busy = dispatcher.fates["busy"]
        while at_work:
            end(0)
        clock.pump([1.0] * 4)
        self.assertEqual(dispatcher._runs._queues, {})
        self.assertEqual(
            (sum(said.values()), dispatcher.fates["busy"]),
            (
                sum(map(len, started.values())) + busy,
                busy,
            ),
        )
        told = 0
        for person in PEOPLE:
            bodies = [each.body for each in sent if each.recipient == f"{person}/x"]
            answers = [int(body.split()[1]) for body in bodies if body.startswith("did ")]
            self.assertEqual(answers, sorted(answers))
            self.assertEqual(answers, started[person])
            told += sum(body.startswith("do is busy") for body in bodies)
            told += sum(int(body.split()[0]) for body in bodies if " more w" in body[:12])
        self.assertEqual(told, busy)


class RunQueueTests(SynchronousTestCase):
    def test_turns(self) -> None:
        """People take turns, however much one of them has in the queue; it is known when."""
        queue: RunQueue[str] = RunQueue()
        for run in ("a1", "a2", "a3", "b1", "c1", "b2"):
            queue.reserve(run[0], run)
            queue.wait(run)
        before = {run: queue.before(run) for run in ("a1", "b1", "c1", "a2", "b2", "a3")}
        self.assertEqual(list(before.values()), [0, 1, 2, 3, 4, 5])
        order = []
        while (run := queue.next(lambda run: True)) is not None:
            order.append(run)
            queue.leave(run)
        self.assertEqual(order, list(before))
        self.assertEqual(len(queue), 0)

    def test_fair(self) -> None:
        """One person has half of the places at most; others still have some then."""
        queue: RunQueue[str] = RunQueue()
        taken = {"a": 0, "b": 0}
        for person in taken:
            for number in range(MAX_WAITING):
                run = f"{person}{number}"
                queue.reserve(person, run)
                queue.wait(run)
                if queue.is_too_much(run):
                    queue.leave(run)
                else:
                    taken[person] += 1
        self.assertEqual(taken, {"a": MAX_WAITING // 2, "b": MAX_WAITING // 4})


class WaitingTests(DispatcherCase):
    """``self.ends`` are the runs at work, in the order of their start."""

    def setUp(self) -> None:
        super().setUp()
        self.ends: list[Deferred[str]] = []
        self.started: list[str] = []

        @respond("go(?P<what> .*)?")
        async def go(message: Message, what: str = "") -> str:
            self.started.append(message.body)
            self.ends.append(Deferred())
            return await self.ends[-1]

        self.go = responder(go)

    def test_order(self) -> None:
        """What one person says is done and answered in order, whatever takes longer."""
        dispatcher = self.dispatcher(self.go)
        for number in range(3):
            dispatcher.got_message(evolve(DIRECT, body=f"go {number}"))
        self.assertEqual(self.started, ["go 0"])
        for number in range(3):
            self.ends[number].callback(f"done {number}")
        self.assertEqual(self.said(), ["done 0", "done 1", "done 2"])

    def test_behind_the_journal(self) -> None:
        """What needs no journal does not overtake what waits for it."""
        journal = MemoryJournal()
        journal.is_slow = True
        add, shown = self.go.routes[0], []

        def show(message: Message, groups: dict[str, str]) -> Deferred[Any]:
            shown.append(message.body)
            return Deferred()

        both = (add, Route(Pattern.match("show"), show, effect=False))
        dispatcher = self.dispatcher(evolve(self.go, routes=both), journal=journal)
        dispatcher.got_message(evolve(DIRECT, key="1"))
        dispatcher.got_message(evolve(DIRECT, key="2", body="show"))
        self.assertEqual((self.started, shown), ([], []))
        journal.catch_up()
        self.assertEqual((self.started, shown), (["go"], []))
        self.ends[0].callback("done")
        self.assertEqual(shown, ["show"])

    def test_told(self) -> None:
        """Who waits is told once after two seconds, in one line for all of it; not before."""
        dispatcher = self.dispatcher(evolve(self.go, runs=1))
        for number in range(2):
            dispatcher.got_message(evolve(IN_ROOM, sender=f"{ROOM}/{number}"))
        for number in range(3):
            dispatcher.got_message(evolve(DIRECT, body=f"go {number}"))
        self.clock.advance(TELL_AFTER - 0.1)
        self.assertEqual(self.said(), [])
        self.clock.advance(0.1)
        self.assertEqual(
            self.said(), ['"go" waits: 1 before you.', '"go 0" and 2 more wait: 2 before you.']
        )
        self.clock.advance(TELL_AFTER)
        self.assertEqual(self.said(), [])

    def test_short_waits(self) -> None:
        """Who waits for less is told nothing."""
        dispatcher = self.dispatcher(self.go)
        for _ in range(2):
            dispatcher.got_message(DIRECT)
        self.ends[0].callback("one")
        self.clock.advance(TELL_AFTER)
        self.ends[1].callback("two")
        self.assertEqual(self.said(), ["one", "two"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_only_heard(self) -> None:
        """Who did not address the bot is told neither that it waits nor that it is refused."""

        @hear("go")
        async def hears(message: Message) -> str:
            return await Deferred()

        dispatcher = self.dispatcher(hears)
        for _ in range(MAX_WAITING):
            dispatcher.got_message(IN_ROOM)
        self.clock.advance(TELL_AFTER)
        self.assertEqual(self.said(), [])
        self.assertEqual(dispatcher.fates["busy"], MAX_WAITING // 2 - 1)

    def test_rights_of_now(self) -> None:
        """Who may no longer use it when the turn comes is refused; the journal says so."""
        journal = MemoryJournal()
        owners = Access(allow=AccessList(affiliations=frozenset({"owner"})))
        dispatcher = self.dispatcher(evolve(self.go, access=owners), journal=journal)
        alice = evolve(IN_ROOM, identity="a@example.org", affiliation="owner")
        for number in range(2):
            dispatcher.got_message(evolve(alice, key=str(number)))
        self.affiliations["alice"] = "none"
        self.ends[0].callback("done")
        self.assertEqual(len(self.started), 1)
        self.assertEqual(
            self.said(),
            [
                "done",
                '"go" is not done: go has changed meanwhile, or you may no longer use it.',
            ],
        )
        self.assertEqual(
            [each.outcome for each in journal.entries.values()], ["answered", "denied"]
        )

    def test_reload(self) -> None:
        """A command that waits does not run by the code of before a reload, nor by the new."""
        dispatcher = self.dispatcher(self.go)
        for _ in range(2):
            dispatcher.got_message(DIRECT)
        changed = evolve(self.go, timeout=1.0)
        dispatcher.change([changed], name="xbot", prefix="", rooms={})
        self.ends[0].callback("done")
        self.assertEqual(len(self.started), 1)
        self.assertIn("go has changed meanwhile", self.said()[-1])
        dispatcher.got_message(DIRECT)
        self.assertEqual(len(self.started), 2)

    def test_stop(self) -> None:
        """What waits when the bot stops does not start, and is reported by the next process."""
        journal = MemoryJournal()
        dispatcher = self.dispatcher(self.go, journal=journal)
        for number in range(3):
            dispatcher.got_message(evolve(DIRECT, key=str(number)))
        dispatcher.stop()
        self.assertEqual((len(self.started), self.said()), (1, []))
        self.assertEqual([each.outcome for each in journal.entries.values()], ["interrupted"] * 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_killed(self) -> None:
        """What waits when the process is killed is in the journal, without an outcome."""
        journal = MemoryJournal()
        dispatcher = self.dispatcher(self.go, journal=journal)
        for number in range(3):
            dispatcher.got_message(evolve(DIRECT, key=str(number)))
        entries = self.successResultOf(journal.restarted().interrupted())
        self.assertEqual(len(entries), 3)

    def test_for_long(self) -> None:
        """What waits for ten minutes is refused, and its sender is told."""
        dispatcher = self.dispatcher(evolve(self.go, runs=1, timeout=3600.0))
        dispatcher.got_message(IN_ROOM)
        dispatcher.got_message(DIRECT)
        self.clock.advance(TELL_AFTER)
        self.said()
        self.clock.advance(WAIT_WITHIN - TELL_AFTER)
        self.assertEqual(self.said(), ['"go" is not run: go was busy for 10 minutes.'])
        self.assertEqual(dispatcher.fates["busy"], 1)
        self.ends[0].callback("done")
        self.assertEqual((self.said(), len(self.ends)), (["done"], 1))

    def test_a_long_run(self) -> None:
        """After 30 s a run no longer holds back the same person's next one, as to stop it."""
        dispatcher = self.dispatcher(evolve(self.go, timeout=3600.0))
        for _ in range(2):
            dispatcher.got_message(DIRECT)
        self.clock.advance(HOLD_FOR - 0.1)
        self.assertEqual(len(self.started), 1)
        self.clock.advance(0.1)
        self.assertEqual(len(self.started), 2)

    def test_a_question(self) -> None:
        """Who is asked something need not answer first to have another command run elsewhere."""

        @respond("go")
        async def asks(message: Message) -> str:
            return (await message.ask("sure?")).body

        dispatcher = self.dispatcher(asks)
        alice = evolve(DIRECT, sender="a@example.org/x", identity="a@example.org")
        dispatcher.got_message(alice)
        dispatcher.got_message(evolve(IN_ROOM, identity="a@example.org"))
        self.assertEqual(self.said(), ["sure?", "sure?"])

    def test_no_thread(self) -> None:
        """A run that finds no free thread waits for one, in its place; its code runs once."""
        free = False
        calls: list[str] = []

        def call(message: Message, groups: dict[str, str]) -> Deferred[Any]:
            result: Deferred[Any] = Deferred()
            if free:
                calls.append(message.body)
                result.callback(collect("done"))
            else:
                result.errback(NotStarted(4))
            return result

        route = Route(Pattern.match("go.*"), call, effect=False)
        dispatcher = self.dispatcher(Responder("go", (route,)))
        for number in range(3):
            dispatcher.got_message(evolve(DIRECT, body=f"go {number}"))
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.said(), ['"go 0" and 2 more wait: go is busy.'])
        free = True
        self.clock.advance(1)
        self.assertEqual((calls, self.said()), (["go 0", "go 1", "go 2"], ["done"] * 3))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(dispatcher._runs._starved, {})

    def test_people(self) -> None:
        """One person does not hold up another, however much of theirs waits."""
        access = Access(allow=AccessList(People.parse(["a@example.org", "b@example.org"])))
        dispatcher = self.dispatcher(evolve(self.go, runs=1, access=access))
        for _ in range(10):
            dispatcher.got_message(evolve(DIRECT, identity="a@example.org"))
        bob = evolve(DIRECT, sender="b@example.org/x", identity="b@example.org", body="go bob")
        dispatcher.got_message(bob)
        self.ends[0].callback("1")
        self.ends[1].callback("2")
        self.assertIn("go bob", self.started[:3])


class ProgramTests(DispatcherCase):
    async def test_order(self) -> None:
        """Programs are answered in the order of the commands, though a later one is faster."""
        run = ("sh", "-c", "sleep {seconds}; echo {seconds}")
        settings = ResponderSettings("nap", match=r"nap (?P<seconds>[\d.]+)", run=run)
        environment = FakeEnvironment(reactor, InThread(reactor)).environment()
        (nap,) = load_responders([settings], environment, bundled=False)
        dispatcher = self.dispatcher(nap, clock=reactor)
        for seconds in ("0.3", "0", "0.1"):
            dispatcher.got_message(evolve(DIRECT, body=f"nap {seconds}"))
        await dispatcher.idle()
        dispatcher.stop()
        self.assertEqual(self.said(), ["0.3", "0", "0.1"])
