"""Contract tests of IJournal, for :mod:`xbot.state.journal` and the in-memory journal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from tests.daemon import environment
from xbot.model.file_state import FileUnavailable, UnusableFile
from xbot.model.message import Message
from xbot.state.interfaces import IJournal
from xbot.state.journal.file import FILE_NAME, PRUNE_BATCH, JournalFile
from xbot.state.journal.journal import PRUNE_AFTER, PRUNE_EVERY, Journal
from xbot.testing.journal import MemoryJournal

MESSAGE = Message(
    "ops@rooms.example/alice",
    "ops@rooms.example/xbot",
    "xbot: deploy web",
    {"type": "groupchat", "id": "7"},
    "ops@rooms.example",
    "alice",
    "alice@example.org",
    key="1",
)


class InTurn:
    """Fake of the journal's thread: runs functions at once, or by hand while ``is_held``."""

    def __init__(self) -> None:
        self.is_held = False
        self.is_stopped = False
        self._jobs: list[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = []

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self._jobs.append((result, function, args))
        if not self.is_held:
            self.work()
        return result

    def work(self) -> None:
        """Do all that was given."""
        while self._jobs:
            result, function, args = self._jobs.pop(0)
            maybeDeferred(function, *args).chainDeferred(result)

    def stop(self) -> None:
        self.is_stopped = True


class JournalCase(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.now = 1000.0
        self.path = Path(self.mktemp()) / "state" / FILE_NAME
        self.in_turn = InTurn()

    def journal(self, **options: Any) -> Journal:
        """A journal on disk, opened."""
        options.setdefault("in_thread", self.in_turn)
        journal = Journal(self.path, self.clock, wall_clock=lambda: self.now, **options)
        self.addCleanup(self.close, journal)
        self.successResultOf(journal.open())
        return journal

    def close(self, journal: Journal) -> Deferred[None]:
        """Leave nothing open, whatever a test has done."""
        self.in_turn.is_held = False
        self.in_turn.work()
        return journal.close()


class Contract:
    """Contract tests of IJournal; ``make`` and ``restarted`` create the journal.

    ``pass_time`` moves its wall clock.
    """

    make: Callable[[], Any]
    restarted: Callable[[Any], Any]
    pass_time: Callable[[Any, float], None]

    def accept(self: Any, journal: Any, key: str = "1", responder: str = "deploy") -> int | None:
        return self.successResultOf(journal.accept(evolve(MESSAGE, key=key), responder))

    def test_interface(self: Any) -> None:
        """It is what the engine takes for a journal."""
        verifyObject(IJournal, self.make())

    def test_once(self: Any) -> None:
        """Of each key, each responder is accepted once, in this process and the next."""
        journal = self.make()
        numbers = [self.accept(journal), self.accept(journal, "2"), self.accept(journal, "1", "b")]
        self.assertEqual(numbers, sorted({number for number in numbers if number}))
        for _ in range(2):
            self.assertIsNone(self.accept(journal))
            self.assertIsNone(self.accept(journal, "1", "b"))
            journal = self.restarted(journal)
        self.assertGreater(self.accept(journal, "3"), numbers[-1])

    def test_key_that_lasts(self: Any) -> None:
        """An entry older than the message's key lasts is no duplicate, and stays in the list."""
        journal = self.make()
        message = evolve(MESSAGE, key_lasts=180.0)

        def accept(message: Message) -> int | None:
            return self.successResultOf(journal.accept(message, "deploy"))

        first = accept(message)
        self.pass_time(journal, 180.0)
        self.assertIsNone(accept(message))
        journal = self.restarted(journal)
        self.pass_time(journal, 0.5)
        self.assertIsNone(accept(MESSAGE), "for ever")
        second = accept(message)
        self.assertIsNone(accept(message))
        self.pass_time(journal, -1000.0)
        self.assertIsNone(accept(message), "a clock that went back")
        entries = self.successResultOf(journal.recent(9))
        self.assertEqual([entry.number for entry in entries], [first, second])

    def test_any_key(self: Any) -> None:
        """Strangers choose keys: any text of any length tells messages apart."""
        journal = self.make()
        for key in ("", "\0", "\ud800", "'; DROP TABLE entry", "x" * 2**20, "x" * 2**20 + "y"):
            self.assertIsNotNone(self.accept(journal, key))
            self.assertIsNone(self.accept(journal, key))

    def test_entry(self: Any) -> None:
        """An entry has what is needed to answer, the beginning of the body, and the outcome."""
        journal = self.make()
        body = "deploy \0\ud800" + "x" * 5000
        message = evolve(MESSAGE, body=body)
        number = self.successResultOf(journal.accept(message, "deploy"))
        (entry,) = self.successResultOf(journal.recent(5))
        shown = "deploy \0?" + "x" * 991
        self.assertEqual(
            entry.message, evolve(MESSAGE, key=None, payload={"type": "groupchat"}, body=shown)
        )
        self.assertEqual((entry.number, entry.responder, entry.outcome), (number, "deploy", None))
        self.successResultOf(journal.finish(number, "answered"))
        self.successResultOf(journal.finish(number, "failed"))
        (entry,) = self.successResultOf(journal.recent(5))
        self.assertEqual((entry.outcome, entry.ended), ("answered", entry.accepted))

    def test_recent(self: Any) -> None:
        """The newest come last."""
        journal = self.make()
        numbers = [self.accept(journal, str(number)) for number in range(5)]
        entries = self.successResultOf(journal.recent(3))
        self.assertEqual([entry.number for entry in entries], numbers[-3:])

    def test_interrupted(self: Any) -> None:
        """What earlier processes left without outcome, or interrupted, is told until reported."""
        journal = self.make()
        done, left, stopped = (self.accept(journal, key) for key in "123")
        self.successResultOf(journal.finish(done, "answered"))
        self.successResultOf(journal.finish(stopped, "interrupted"))
        self.assertEqual(self.successResultOf(journal.interrupted()), [])
        for _ in range(2):
            journal = self.restarted(journal)
            entries = self.successResultOf(journal.interrupted())
            self.assertEqual([entry.number for entry in entries], [left, stopped])
            self.assertEqual({entry.outcome for entry in entries}, {"interrupted"})
        self.accept(journal, "4")
        self.successResultOf(journal.reported(left))
        self.successResultOf(journal.reported(stopped))
        self.assertEqual(self.successResultOf(journal.interrupted()), [])
        journal = self.restarted(journal)
        self.assertEqual(len(self.successResultOf(journal.interrupted())), 1)

    def test_waiting(self: Any) -> None:
        """What only waited lapses, unless it was agreed to; it is told, and never runs again."""
        journal = self.make()
        waiting, agreed, declined = (
            self.successResultOf(journal.accept(evolve(MESSAGE, key=key), "deploy", "waiting"))
            for key in "123"
        )
        self.successResultOf(journal.agree(agreed))
        self.successResultOf(journal.finish(declined, "declined"))
        outcomes = [entry.outcome for entry in self.successResultOf(journal.recent(3))]
        self.assertEqual(outcomes, ["waiting", None, "declined"])
        # Nothing is agreed to once it is over.
        self.successResultOf(journal.agree(declined))
        for _ in range(2):
            journal = self.restarted(journal)
            entries = self.successResultOf(journal.interrupted())
            self.assertEqual(
                [(entry.number, entry.outcome) for entry in entries],
                [(waiting, "lapsed"), (agreed, "interrupted")],
            )
        for key in "123":
            self.assertIsNone(self.accept(journal, key, "deploy"))
        for entry in entries:
            self.successResultOf(journal.reported(entry.number))
        self.assertEqual(self.successResultOf(journal.interrupted()), [])

    def test_state(self: Any) -> None:
        """One that works says so."""
        self.assertEqual(str(self.make().state), "ok")


class MemoryJournalTests(Contract, JournalCase):
    def make(self) -> MemoryJournal:
        return MemoryJournal()

    def restarted(self, journal: MemoryJournal) -> MemoryJournal:
        return journal.restarted()

    def pass_time(self, journal: MemoryJournal, seconds: float) -> None:
        journal.now += seconds

    def test_failing(self) -> None:
        """Its disk fails when a test says so."""
        journal = MemoryJournal()
        journal.problem = "no room"
        self.failureResultOf(journal.accept(MESSAGE, "x"), FileUnavailable)


class JournalTests(Contract, JournalCase):
    def make(self) -> Journal:
        return self.journal()

    def restarted(self, journal: Journal) -> Journal:
        self.successResultOf(journal.close())
        return self.journal()

    def pass_time(self, journal: Journal, seconds: float) -> None:
        self.now += seconds

    def test_second_bot(self) -> None:
        """Of two bots with one state folder the second is told, and the first goes on."""
        first = self.journal()
        second = Journal(self.path, self.clock, in_thread=InTurn())
        failure = self.failureResultOf(second.open(), UnusableFile)
        self.assertIn("another bot", str(failure.value))
        self.failureResultOf(second.accept(MESSAGE, "x"), FileUnavailable)
        self.successResultOf(second.close())
        self.assertIsNotNone(self.accept(first))
        self.successResultOf(first.close())
        self.assertIsNone(self.accept(self.journal()))

    def test_later_version(self) -> None:
        """A file that a later version made is left alone, and a person is told."""
        self.successResultOf(self.journal().close())
        file = JournalFile(self.path)
        file._connection.execute("PRAGMA user_version = 99")
        file.close()
        journal = Journal(self.path, self.clock, in_thread=self.in_turn)
        self.failureResultOf(journal.open(), UnusableFile)
        self.successResultOf(journal.close())

    def test_broken_file(self) -> None:
        """A broken file is moved aside, which log and state say loudly, and a new one begun."""
        journal = self.journal()
        self.accept(journal)
        self.successResultOf(journal.close())
        for garbage in (b"SQLite format 3\0" + b"\xff" * 8000, b"no such thing" * 100):
            self.path.write_bytes(garbage)
            journal = self.journal()
            self.assertIsNotNone(self.accept(journal))
            lost = journal.state.lost
            assert lost is not None
            self.assertEqual(lost.read_bytes(), garbage)
            self.assertIn(lost.name, str(journal.state))
            self.successResultOf(journal.close())

    def test_broken_page(self) -> None:
        """A file whose inside is broken is found out when it is opened."""
        journal = self.journal()
        for number in range(200):
            self.accept(journal, str(number))
        self.successResultOf(journal.close())
        content = bytearray(self.path.read_bytes())
        content[4096 * 3 : 4096 * 4] = os.urandom(4096)
        self.path.write_bytes(content)
        journal = self.journal()
        self.assertIsNotNone(journal.state.lost)
        self.assertIsNotNone(self.accept(journal))

    def test_private(self) -> None:
        """Nobody else can read the folder or what is in it."""
        self.accept(self.journal())
        self.assertEqual(self.path.parent.stat().st_mode & 0o777, 0o700)
        for path in self.path.parent.iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path)

    def test_clock_jumps(self) -> None:
        """Order is that of acceptance, whatever the wall clock says meanwhile."""
        journal = self.journal()
        numbers = []
        for now in (1000.0, 9e9, -5.0, 2000.0):
            self.now = now
            numbers.append(self.accept(journal, str(now)))
        entries = self.successResultOf(journal.recent(9))
        self.assertEqual([entry.number for entry in entries], numbers)
        self.assertEqual(numbers, sorted(numbers))
        journal = self.restarted(journal)
        entries = self.successResultOf(journal.interrupted())
        self.assertEqual([entry.number for entry in entries], numbers)

    def test_pruning(self) -> None:
        """Old entries go little by little, by number and by time, and the newest stay."""
        self.patch(sys.modules["xbot.state.journal.file"], "ALWAYS_KEPT", 100)
        journal = self.journal(keep=60.0)

        def accept(count: int) -> None:
            for number in range(count):
                accepted = self.accept(journal, f"{self.now} {number}")
                self.successResultOf(journal.finish(accepted, "silent"))

        def kept() -> int:
            return len(self.successResultOf(journal.recent(10_000)))

        accept(PRUNE_BATCH + 200)
        self.assertEqual(kept(), PRUNE_BATCH + 200)
        self.now += 61
        self.clock.advance(PRUNE_EVERY)
        self.assertEqual(kept(), 200)
        self.clock.advance(PRUNE_EVERY)
        self.assertEqual(kept(), 100)
        accept(PRUNE_AFTER)
        self.assertLess(kept(), 100 + PRUNE_AFTER)
        # What did not run counts too: anybody may ask for it.
        self.clock.advance(PRUNE_EVERY)
        for number in range(3 * PRUNE_AFTER):
            self.successResultOf(journal.note(evolve(MESSAGE, key=f"n{number}"), "go", "denied"))
            self.now += 1
        self.assertLess(kept(), 100 + 2 * PRUNE_AFTER)

    def test_closed_while_it_opens(self) -> None:
        """Closing waits for the opening, and nothing is left either."""
        journal = Journal(self.path, self.clock, in_thread=self.in_turn)
        self.in_turn.is_held = True
        opened, closed = journal.open(), journal.close()
        self.in_turn.work()
        self.successResultOf(opened)
        self.successResultOf(closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_left_running(self) -> None:
        """After close there is no timer, no thread, and no lock."""
        journal = self.journal()
        self.successResultOf(journal.close())
        self.successResultOf(journal.close())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(self.in_turn.is_stopped)
        self.failureResultOf(journal.accept(MESSAGE, "x"), FileUnavailable)


class RealThreadTests(TestCase):
    async def test_round(self) -> None:
        """With a real thread: accept, finish, close, and the next one knows."""
        path = Path(self.mktemp()) / FILE_NAME
        for expected in (1, None):
            journal = Journal(path, reactor)
            opened = journal.open()
            # It may be asked before it is open.
            number = await journal.accept(MESSAGE, "deploy")
            self.assertEqual(number, expected)
            await opened
            if number is not None:
                journal.finish(number, "answered").addErrback(self.fail)
            await journal.close()

    def test_killed(self) -> None:
        """What was accepted when SIGKILL came is there afterwards, and reported as interrupted."""
        path = Path(self.mktemp()) / FILE_NAME
        script = """
            import os, signal, sys
            from pathlib import Path
            from twisted.internet import reactor
            from xbot.state.journal.journal import Journal
            from xbot.model.message import Message

            journal = Journal(Path(sys.argv[1]), reactor)
            journal.open()

            def end(_):
                os.kill(os.getpid(), signal.SIGKILL)

            done = journal.accept(Message("a", "b", "x", key="1"), "deploy")
            done.addCallback(lambda number: journal.finish(number, "answered"))
            journal.accept(Message("a", "b", "y", key="2"), "deploy").addCallback(
                lambda _: done.addCallback(end)
            )
            reactor.run()
        """
        child = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), str(path)],
            env=environment(),
            timeout=60,
            check=False,
        )
        self.assertEqual(child.returncode, -signal.SIGKILL)
        in_turn = InTurn()
        journal = Journal(path, Clock(), in_thread=in_turn)
        self.successResultOf(journal.open())
        for key in "12":
            again = journal.accept(Message("a", "b", "x", key=key), "deploy")
            self.assertIsNone(self.successResultOf(again))
        (entry,) = self.successResultOf(journal.interrupted())
        self.assertEqual(entry.message.body, "y")
