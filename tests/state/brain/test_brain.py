"""Tests of :mod:`xbot.state.brain.brain`: the contract, on a disk that may fail."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.daemon import environment
from tests.effort import examples
from tests.state.brain.contract import BrainReactor, Contract
from tests.state.journal.test_journal import InTurn
from xbot.model.file_state import FileUnavailable, UnusableFile
from xbot.state.brain import brain as brain_module
from xbot.state.brain.brain import FILE_NAME, FLUSH_TIMEOUT, LINGER, STAMP_EVERY, Brain
from xbot.state.brain.errors import BrainNotOpen
from xbot.state.brain.file import BrainFile, read_content
from xbot.state.brain.lasting import Clocks
from xbot.state.sqlite.file import connect
from xbot.state.sqlite.writer import CLOSE_TIMEOUT, RETRY


class BrainCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = BrainReactor()
        # In the machine's time; another boot has another name, and begins at 0.
        self.boot = "one"
        self.wall = 1e9
        self.path = Path(self.mktemp()) / "state" / FILE_NAME
        self.in_turn = InTurn()
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def unopened(self, **options: Any) -> Brain:
        options.setdefault("in_thread", self.in_turn)
        clocks = Clocks(self.boot, self.clock.seconds, lambda: self.wall)
        brain = Brain(self.path, self.clock, clocks=lambda: clocks, **options)
        self.addCleanup(self.close, brain)
        return brain

    def make(self, **options: Any) -> Brain:
        """A brain on disk, opened."""
        brain = self.unopened(**options)
        self.successResultOf(brain.open())
        return brain

    def close(self, brain: Brain) -> Deferred[None]:
        """Leave nothing open, whatever a test has done."""
        self.in_turn.is_held = False
        self.in_turn.work()
        return brain.close()

    def restarted(self, brain: Brain) -> Brain:
        self.successResultOf(brain.close())
        return self.make()

    def saved(self) -> dict[tuple[str, str], str]:
        """What is in the file, as another process sees it."""
        return {(row.namespace, row.key): row.text for row in read_content(self.path).rows}

    def assert_idle(self) -> None:
        """Nothing is left to happen."""
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def logged(self, level: LogLevel) -> list[str]:
        return [event["log_format"] for event in self.events if event["log_level"] is level]


class BrainTests(Contract, BrainCase):
    def test_nothing_for_nobody(self) -> None:
        """Without anything to remember there is neither a file nor a folder, nor a thread."""
        brain = self.make()
        self.assertEqual(dict(brain.namespace("a")), {})
        self.successResultOf(brain.flushed())
        self.clock.advance(STAMP_EVERY * 2)
        self.assertEqual(str(brain.state), "ok")
        self.successResultOf(brain.close())
        self.assertFalse(self.path.parent.exists())
        self.assert_idle()

    def test_not_open(self) -> None:
        """Before it was opened it can be named, and using it is an error that says so."""
        memory = self.unopened().namespace("a")
        with self.assertRaisesRegex(BrainNotOpen, "when the bot starts"):
            memory["x"] = 1
        self.assertRaises(BrainNotOpen, memory.get, "x")

    def test_saved_soon(self) -> None:
        """What nobody waits for is saved a moment later, all of it together."""
        writes: list[int] = []

        class Counted(BrainFile):
            def write(self, rows: Any, *rest: Any) -> Any:
                rows = list(rows)
                writes.append(len(rows))
                return super().write(rows, *rest)

        brain = self.make(open_file=Counted)
        memory = brain.namespace("a")
        memory.update({"x": 1, "y": 2})
        self.clock.advance(0)
        memory["x"] = 3
        self.assertFalse(self.path.exists())
        self.clock.advance(LINGER)
        self.assertEqual(self.saved(), {("a", "x"): "3", ("a", "y"): "2"})
        del memory["y"]
        self.clock.pump([0, LINGER])
        self.assertEqual(self.saved(), {("a", "x"): "3"})
        # Opening writes what is unsaved and not under way: nothing here.
        self.assertEqual(writes, [0, 2, 0])

    def test_flushed_waits(self) -> None:
        """It fires when all from before it is in the file, not for what comes later."""
        brain = self.make()
        memory = brain.namespace("a")
        memory["w"] = 0
        self.successResultOf(brain.flushed())
        self.in_turn.is_held = True
        memory["x"] = 1
        first = brain.flushed()
        memory["y"] = 2
        second = brain.flushed()
        self.assertNoResult(first)
        self.step()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.assertEqual(set(self.saved()), {("a", "w"), ("a", "x")})
        memory["z"] = 3
        self.step()
        self.successResultOf(second)
        self.assertEqual(set(self.saved()), {("a", "w"), ("a", "x"), ("a", "y")})

    def step(self) -> None:
        """Let the thread do one thing."""
        result, function, args = self.in_turn._jobs.pop(0)
        maybeDeferred(function, *args).chainDeferred(result)

    def test_saved_soon_after_another(self) -> None:
        """What is changed while something else is being saved is saved a moment later."""
        brain = self.make()
        memory = brain.namespace("a")
        memory["x"] = 1
        self.successResultOf(brain.flushed())
        self.in_turn.is_held = True
        memory["x"] = 2
        flushed = brain.flushed()
        memory["y"] = 2
        self.clock.advance(0)
        self.in_turn.is_held = False
        self.in_turn.work()
        self.successResultOf(flushed)
        self.assertEqual(set(self.saved()), {("a", "x")})
        self.clock.advance(LINGER)
        self.assertEqual(set(self.saved()), {("a", "x"), ("a", "y")})

    def test_flushed_in_parts(self) -> None:
        """What is too much for one transaction is durable as a whole when it fires."""
        self.patch(brain_module, "MAX_BATCH", 3)
        brain = self.make()
        memory = brain.namespace("a")
        memory.update({str(number): number for number in range(10)})
        memory["0"] = "again"
        self.successResultOf(brain.flushed())
        self.assertEqual(len(self.saved()), 10)
        self.assertEqual(self.saved()["a", "0"], '"again"')

    def test_closed_saves(self) -> None:
        """What is not saved when it is closed is saved by that; waiting for it ends."""
        for is_used in (False, True):
            self.in_turn = InTurn()
            brain = self.make()
            memory = brain.namespace(str(is_used))
            self.in_turn.is_held = True
            memory["x"] = 1
            flushed = brain.flushed() if is_used else None
            memory["y"] = 1
            closed = brain.close()
            self.assertNoResult(closed)
            self.in_turn.work()
            self.successResultOf(closed)
            if flushed is not None:
                self.successResultOf(flushed)
            self.assertEqual(len(self.saved()), 4 if is_used else 2)
            self.assert_idle()
            self.assertTrue(self.in_turn.is_stopped)

    def test_private(self) -> None:
        """Nobody else can read the folder or what is in it."""
        brain = self.make()
        brain.namespace("a")["x"] = 1
        self.successResultOf(brain.flushed())
        self.assertEqual(self.path.parent.stat().st_mode & 0o777, 0o700)
        for path in self.path.parent.iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path)

    def test_second_bot(self) -> None:
        """Of two bots with one state folder the second is told, and the first goes on."""
        first = self.make()
        first.namespace("a")["x"] = 1
        self.successResultOf(first.flushed())
        second = self.unopened(in_thread=InTurn())
        failure = self.failureResultOf(second.open(), UnusableFile)
        self.assertIn("another bot", str(failure.value))
        self.assertRaises(BrainNotOpen, second.namespace("a").get, "x")
        self.successResultOf(second.close())
        first.namespace("a")["y"] = 1
        self.successResultOf(first.flushed())
        self.assertEqual(dict(self.restarted(first).namespace("a")), {"x": 1, "y": 1})

    def test_second_bot_later(self) -> None:
        """Where there was no file yet, the second to save goes on in memory, and says so."""
        first, second = self.make(), self.make(in_thread=InTurn())
        first.namespace("a")["x"] = 1
        self.successResultOf(first.flushed())
        second.namespace("a")["x"] = 2
        self.failureResultOf(second.flushed(), FileUnavailable)
        self.assertIn("another bot", str(second.state))
        for _ in range(3):
            self.clock.advance(RETRY)
            self.failureResultOf(second.flushed(), FileUnavailable)
        self.assertEqual(second.namespace("a")["x"], 2)
        errors = [each for each in self.logged(LogLevel.error) if "cannot be opened" in each]
        self.assertEqual(len(errors), 1)
        self.successResultOf(second.close())
        self.assertEqual(self.saved(), {("a", "x"): "1"})

    def test_made_meanwhile(self) -> None:
        """A file that came after the opening is taken in at the first write; what is new wins."""
        brain, other = self.make(), self.make(in_thread=InTurn())
        other.namespace("a").update({"x": 1, "y": 1, "z": 1})
        self.successResultOf(other.close())
        memory = brain.namespace("a")
        memory.update({"x": 2, "z": 2})
        del memory["z"]
        self.successResultOf(brain.flushed())
        self.assertEqual(dict(memory), {"x": 2, "y": 1})
        self.assertEqual(self.saved(), {("a", "x"): "2", ("a", "y"): "1"})

    def test_later_version(self) -> None:
        """A file that a later version made is left alone, and a person is told."""
        brain = self.make()
        brain.namespace("a")["x"] = 1
        self.successResultOf(brain.close())
        file = BrainFile(self.path)
        file._connection.execute("PRAGMA user_version = 99")
        file.close()
        brain = self.unopened()
        self.failureResultOf(brain.open(), UnusableFile)
        self.successResultOf(brain.close())

    def test_broken_file(self) -> None:
        """A broken file is moved aside, which log and state say loudly, and a new one begun."""
        for garbage in (b"SQLite format 3\0" + b"\xff" * 8000, b"no such thing" * 100):
            self.path.parent.mkdir(exist_ok=True, parents=True)
            self.path.write_bytes(garbage)
            brain = self.make()
            self.assertEqual(dict(brain.namespace("a")), {})
            brain.namespace("a")["x"] = 1
            self.successResultOf(brain.flushed())
            lost = brain.state.lost
            assert lost is not None
            self.assertEqual(lost.read_bytes(), garbage)
            self.assertIn(lost.name, str(brain.state))
            self.assertIn("is broken", self.logged(LogLevel.critical)[-1])
            self.successResultOf(brain.close())

    def test_broken_rows(self) -> None:
        """Rows with nonsense in them are told in the log, and hide nothing else."""
        brain = self.make()
        brain.namespace("a").update({"x": 1, "y": [2], "z": 3})
        self.successResultOf(brain.close())
        other = connect(self.path)
        for value in (b"\xff", "[", '{"a": NaN}', "[" * 100000):
            other.execute("UPDATE memory SET value = ? WHERE key = 'y'", (value,))
            self.assertEqual(dict((brain := self.make()).namespace("a")), {"x": 1, "z": 3})
            self.assertIn("are invalid", self.logged(LogLevel.error)[-1])
            self.successResultOf(brain.close())
        other.close()

    def test_no_text(self) -> None:
        """Bytes that are no UTF-8, put there by a person, keep nothing from being saved."""
        brain = self.make()
        brain.namespace("a").update({"x": 1, "y": 2, "z": 3})
        self.successResultOf(brain.close())
        other = connect(self.path)
        other.execute("UPDATE memory SET value = CAST(x'22ff22' AS TEXT) WHERE key = 'x'")
        other.execute("UPDATE memory SET key = CAST(x'ff' AS TEXT) WHERE key = 'y'")
        other.execute("UPDATE memory SET namespace = CAST(x'ff' AS TEXT) WHERE key = 'z'")
        other.close()
        brain = self.make()
        self.assertEqual(dict(brain.namespace("a")), {"x": "\udcff"})
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink()
        brain.namespace("a")["new"] = 1
        self.failureResultOf(brain.flushed(), FileUnavailable)
        self.clock.pump([RETRY, LINGER])
        self.successResultOf(brain.flushed())
        self.assertEqual(set(self.saved()), {("a", "x"), ("a", "new")})


class TimeTests(BrainCase):
    def test_clock_jumps(self) -> None:
        """While the machine is up, nothing expires sooner or later for what its clock says."""
        brain = self.make()
        brain.namespace("a").set("x", 1, ttl=100)
        for wall in (2e9, 0.0, -1e9, 1e9 + 3600):
            self.wall = wall
            self.clock.advance(10)
            brain = self.restarted(brain)
            self.wall -= 12345.0
        self.assertEqual(brain.namespace("a").time_left("x"), 60)

    def test_another_boot(self) -> None:
        """From one boot to the next the wall clock counts, unless it cannot be believed."""
        for gap, left in ((30, 70.0), (3600, None), (-3600, 100.0), (3650 * 86400, 100.0)):
            brain = self.make()
            brain.namespace("a").set("x", 1, ttl=100)
            self.successResultOf(brain.close())
            self.boot = f"after {gap}"
            self.clock = BrainReactor()
            self.wall += gap
            brain = self.make()
            if left is None:
                self.assertNotIn("x", brain.namespace("a"))
            else:
                self.assertEqual(brain.namespace("a").time_left("x"), left)
            self.successResultOf(brain.close())

    def test_long_idle(self) -> None:
        """A bot that has nothing to save for two years notes how late it is all the same."""
        brain = self.make()
        brain.namespace("a").set("x", 1, ttl=3 * 365 * 86400)
        self.clock.pump([LINGER, LINGER])
        for _ in range(1000):
            self.clock.advance(STAMP_EVERY)
        self.wall += 1000 * STAMP_EVERY
        stamp = read_content(self.path).stamp
        assert stamp is not None
        self.assertAlmostEqual(stamp.now, self.clock.seconds(), delta=1.0)

    def test_expired_leaves_the_file(self) -> None:
        """What has expired is forgotten by the file as well, within the hour."""
        brain = self.make()
        brain.namespace("a").set("x", "secret", ttl=10)
        self.successResultOf(brain.flushed())
        self.clock.advance(STAMP_EVERY)
        self.assertEqual(self.saved(), {})

    def test_late_file(self) -> None:
        """What had a time to live before an older file was taken in keeps it."""
        self.clock.advance(12345)
        other = self.make()
        other.namespace("b").set("y", 1, ttl=1000)
        self.successResultOf(other.close())
        self.path.rename(self.path.with_name("later"))
        # Another boot, another time.
        self.boot = "two"
        self.clock = BrainReactor()
        self.wall += 100
        brain = self.make(in_thread=InTurn())
        brain.namespace("a").set("x", 1, ttl=50)
        self.path.with_name("later").rename(self.path)
        self.successResultOf(brain.flushed())
        for _ in range(2):
            self.assertEqual(brain.namespace("a").time_left("x"), 50)
            self.assertEqual(brain.namespace("b").time_left("y"), 900)
            brain = self.restarted(brain)
        self.clock.advance(50)
        self.assertNotIn("x", brain.namespace("a"))


class FailingDiskTests(BrainCase):
    def setUp(self) -> None:
        super().setUp()
        self.failing: str | None = None

    def connect(self, path: Path) -> sqlite3.Connection:
        """A connection of which every statement fails, on demand, as sqlite3 says it does."""
        case = self

        class Connection(sqlite3.Connection):
            def execute(self, *args: Any) -> sqlite3.Cursor:
                if case.failing:
                    raise sqlite3.OperationalError(case.failing)
                return super().execute(*args)

        return sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, factory=Connection
        )

    def fragile(self) -> Brain:
        return self.make(open_file=lambda path: BrainFile(path, self.connect))

    def test_in_memory_and_back(self) -> None:
        """While it fails it goes on in memory and says so once; then all of it is saved."""
        brain = self.fragile()
        memory = brain.namespace("a")
        memory["x"] = 1
        self.successResultOf(brain.flushed())
        self.failing = "disk I/O error"
        memory["x"] = 2
        self.failureResultOf(brain.flushed(), FileUnavailable)
        for number in range(5):
            self.clock.advance(RETRY)
            memory[str(number)] = number
            failure = self.failureResultOf(brain.flushed(), FileUnavailable)
            self.assertEqual(failure.value.reason, "disk I/O error")
            self.assertEqual((memory["x"], memory[str(number)]), (2, number))
        self.assertEqual(str(brain.state), "disk I/O error")
        self.assertEqual(len(self.logged(LogLevel.error)), 1)
        self.failing = None
        self.clock.advance(RETRY)
        self.assertEqual(str(brain.state), "ok")
        self.successResultOf(brain.flushed())
        self.assertEqual(len(self.saved()), 6)

    def test_tried_again_by_itself(self) -> None:
        """What could not be saved is saved later although nobody asks for it any more."""
        brain = self.fragile()
        brain.namespace("a")["x"] = 1
        self.failing = "disk I/O error"
        self.clock.pump([0, LINGER, RETRY])
        self.failing = None
        self.clock.pump([RETRY, LINGER])
        self.assertEqual(self.saved(), {("a", "x"): "1"})
        # And nothing is left to do.
        self.in_turn.is_held = True
        self.successResultOf(brain.flushed())

    def test_failed_at_once(self) -> None:
        """While it fails nobody waits, not even while the file is being tried again."""
        brain = self.fragile()
        brain.namespace("a")["x"] = 1
        self.failing = "disk I/O error"
        self.failureResultOf(brain.flushed(), FileUnavailable)
        self.in_turn.is_held = True
        self.clock.advance(RETRY)
        self.failureResultOf(brain.flushed(), FileUnavailable)

    def test_asked_in_the_middle(self) -> None:
        """Asked while the file, opened again, is just being written, it does not say yes yet."""
        asked: list[Deferred[None]] = []

        class Watched(BrainFile):
            def commit(watched, actions: Any) -> list[Any]:
                asked.append(brain.flushed().addErrback(lambda _: "not yet"))
                return super().commit(actions)

        brain = self.make(open_file=lambda path: Watched(path, self.connect))
        brain.namespace("a")["x"] = 1
        self.failing = "disk I/O error"
        self.failureResultOf(brain.flushed(), FileUnavailable)
        asked.clear()
        self.failing = None
        self.clock.advance(RETRY)
        self.assertEqual([self.successResultOf(each) for each in asked], ["not yet"] * 2)
        self.successResultOf(brain.flushed())
        self.assertEqual(self.saved(), {("a", "x"): "1"})

    def test_full(self) -> None:
        """A real SQLite without room says so once, and loses nothing once there is room."""
        limit = [40]

        def small(path: Path) -> sqlite3.Connection:
            connection = connect(path)
            connection.execute(f"PRAGMA max_page_count = {limit[0]}")
            return connection

        brain = self.make(open_file=lambda path: BrainFile(path, small))
        memory = brain.namespace("a")
        count = 0
        while brain.state.problem is None:
            memory[str(count)] = "x" * 1000
            brain.flushed().addErrback(lambda failure: failure.trap(FileUnavailable))
            count += 1
        self.clock.pump([RETRY] * 5)
        self.assertIn("full", str(brain.state))
        self.assertEqual(len(self.logged(LogLevel.error)), 1)
        self.assertGreater(count, 20)
        limit[0] = 1000
        self.clock.pump([RETRY, LINGER])
        self.successResultOf(brain.flushed())
        self.assertEqual((len(memory), len(self.saved())), (count, count))

    def test_removed_and_replaced(self) -> None:
        """A file that goes away, or gives way to an old copy, is written again as a whole."""
        brain = self.make()
        memory = brain.namespace("a")
        memory.update({"x": 1, "y": 1})
        self.successResultOf(brain.flushed())
        copy = self.path.with_name("copy")
        other = connect(self.path)
        other.execute("VACUUM INTO ?", (str(copy),))
        other.close()
        del memory["y"]
        self.successResultOf(brain.flushed())
        for replace in (self.path.unlink, lambda: copy.rename(self.path)):
            for suffix in ("-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            replace()
            memory.increment("x")
            self.failureResultOf(brain.flushed(), FileUnavailable)
            self.clock.pump([RETRY, LINGER])
            self.successResultOf(brain.flushed())
            self.assertEqual(self.saved(), {("a", "x"): str(memory["x"])})

    def test_only_readable(self) -> None:
        """What can be read and not written is known; what is new is saved when it can be."""
        brain = self.make()
        brain.namespace("a")["x"] = 1
        self.successResultOf(brain.close())
        self.failing = "attempt to write a readonly database"
        brain = self.fragile()
        memory = brain.namespace("a")
        self.assertEqual(dict(memory), {"x": 1})
        self.assertIn("readonly", str(brain.state))
        memory["y"] = 2
        self.failureResultOf(brain.flushed(), FileUnavailable)
        self.failing = None
        self.clock.pump([RETRY, LINGER])
        self.successResultOf(brain.flushed())
        self.assertEqual(self.saved(), {("a", "x"): "1", ("a", "y"): "2"})

    def test_not_even_readable(self) -> None:
        """What cannot be read yet comes back when it can; what was remembered meanwhile wins."""
        brain = self.make()
        brain.namespace("a").update({"x": 1, "y": 1, "z": 1})
        self.successResultOf(brain.close())
        hidden = self.path.parent.with_name("hidden")
        self.path.parent.rename(hidden)
        self.path.parent.write_text("in the way")
        brain = self.make()
        memory = brain.namespace("a")
        self.assertEqual(dict(memory), {})
        self.assertIn("start without", self.logged(LogLevel.error)[0])
        memory.update({"x": 2, "z": 2})
        del memory["z"]
        self.path.parent.unlink()
        hidden.rename(self.path.parent)
        self.clock.pump([RETRY, LINGER])
        self.successResultOf(brain.flushed())
        self.assertEqual(dict(memory), {"x": 2, "y": 1})
        self.assertEqual(set(self.saved()), {("a", "x"), ("a", "y")})

    def test_stuck_disk(self) -> None:
        """A disk that does not answer makes nobody wait for ever, nor keeps us from leaving."""
        for is_open in (False, True):
            self.in_turn = InTurn()
            brain = self.make()
            memory = brain.namespace("a")
            if is_open:
                memory["x"] = 0
                self.successResultOf(brain.flushed())
            self.in_turn.is_held = True
            memory["x"] = 1
            flushed = brain.flushed()
            self.clock.advance(FLUSH_TIMEOUT)
            failure = self.failureResultOf(flushed, FileUnavailable)
            self.assertIn("does not answer", str(failure.value))
            flushed = brain.flushed()
            closed = brain.close()
            self.clock.advance(CLOSE_TIMEOUT)
            self.successResultOf(closed)
            self.failureResultOf(flushed, FileUnavailable)
            self.in_turn.work()
            self.assert_idle()

    def test_closed_while_failing(self) -> None:
        """Closing does not wait for a disk that fails, and says how much is lost."""
        brain = self.fragile()
        memory = brain.namespace("a")
        memory["x"] = 1
        self.successResultOf(brain.flushed())
        self.failing = "disk I/O error"
        memory.update({"x": 2, "y": 2})
        self.failureResultOf(brain.flushed(), FileUnavailable)
        self.successResultOf(brain.close())
        self.assertIn("were not saved", self.logged(LogLevel.error)[-1])
        self.assertEqual(self.events[-1]["count"], 2)
        self.assert_idle()

    def test_closed_while_it_opens(self) -> None:
        """Closing while it opens leaves nothing behind, and it does not open after that."""
        brain = self.make()
        brain.namespace("a")["x"] = 1
        self.successResultOf(brain.close())
        self.in_turn = InTurn()
        self.in_turn.is_held = True
        brain = self.unopened()
        opened, closed = brain.open(), brain.close()
        self.in_turn.work()
        self.successResultOf(opened)
        self.successResultOf(closed)
        self.assertRaises(BrainNotOpen, brain.namespace("a").get, "x")
        self.assert_idle()


KEYS = st.sampled_from(["a", "b", "é", ""])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False).filter(lambda number: abs(number) != float("inf"))
)
JSON = st.recursive(
    LEAVES | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from("mn"), KEYS, JSON),
        st.tuples(st.just("ttl"), st.sampled_from("mn"), KEYS, st.integers(1, 20)),
        st.tuples(st.just("increment"), st.sampled_from("mn"), KEYS, st.integers(-3, 3)),
        st.tuples(st.just("delete"), st.sampled_from("mn"), KEYS),
        st.tuples(st.just("pass"), st.floats(0, 10)),
        st.tuples(st.just("fail"), st.booleans()),
        st.tuples(st.just("flush")),
        st.tuples(st.just("restart")),
        st.tuples(st.just("jump"), st.floats(-1e9, 1e9)),
    ),
    max_size=30,
)


class AnyLifeTests(SynchronousTestCase):
    @settings(max_examples=examples(60))
    @given(STEPS)
    def test_any_life(self, steps: list[tuple[Any, ...]]) -> None:
        """Whatever is remembered, with restarts and failures in between: it is what a dict has."""
        with tempfile.TemporaryDirectory() as folder:
            world = _World(self, Path(folder) / FILE_NAME)
            for step, *what in steps:
                getattr(world, f"do_{step}")(*what)
                world.check()
            world.do_restart()
            world.check()
            self.successResultOf(world.brain.close())


class _World:
    """A brain and its model: dicts of values, and their expiry."""

    def __init__(self, case: SynchronousTestCase, path: Path) -> None:
        self.case = case
        self.path = path
        self.clock = BrainReactor()
        self.wall = 0.0
        self.is_failing = False
        self.model: dict[str, dict[str, tuple[Any, float | None]]] = {"m": {}, "n": {}}
        self.open()

    def open(self) -> None:
        world = self

        class Fragile(BrainFile):
            def commit(self, actions: Any) -> list[Any]:
                if world.is_failing:
                    self.close()
                    raise FileUnavailable(world.path, "no")
                return super().commit(actions)

        clocks = Clocks("boot", self.clock.seconds, lambda: self.wall)
        self.brain = Brain(
            self.path, self.clock, clocks=lambda: clocks, in_thread=InTurn(), open_file=Fragile
        )
        self.case.successResultOf(self.brain.open())

    def live(self, name: str) -> dict[str, tuple[Any, float | None]]:
        now = self.clock.seconds()
        space = self.model[name]
        for key in [key for key, (_, end) in space.items() if end is not None and end <= now]:
            del space[key]
        return space

    def check(self) -> None:
        for name in self.model:
            expected = [(key, repr(value)) for key, (value, _) in self.live(name).items()]
            found = [(key, repr(value)) for key, value in self.brain.namespace(name).items()]
            self.case.assertEqual(found, expected)

    def do_set(self, name: str, key: str, value: Any) -> None:
        self.brain.namespace(name)[key] = value
        self.live(name)[key] = (value, None)

    def do_ttl(self, name: str, key: str, ttl: int) -> None:
        self.brain.namespace(name).set(key, ttl, ttl=ttl)
        self.live(name)[key] = (ttl, self.clock.seconds() + ttl)

    def do_increment(self, name: str, key: str, by: int) -> None:
        value, end = self.live(name).get(key, (0, None))
        if type(value) is int:
            self.model[name][key] = (value + by, end)
            self.case.assertEqual(self.brain.namespace(name).increment(key, by), value + by)
        else:
            self.case.assertRaises(TypeError, self.brain.namespace(name).increment, key, by)

    def do_delete(self, name: str, key: str) -> None:
        missing = object()
        found = self.brain.namespace(name).pop(key, missing)
        self.case.assertEqual(found is missing, self.live(name).pop(key, None) is None)

    def do_pass(self, seconds: float) -> None:
        # In parts, so that no time is lost in rounding.
        self.clock.advance(round(seconds * 4) / 4)

    def do_fail(self, is_failing: bool) -> None:
        self.is_failing = is_failing

    def do_flush(self) -> None:
        flushed = self.brain.flushed()
        results: list[Any] = []
        flushed.addBoth(results.append)
        self.case.assertEqual(len(results), 1)
        if results[0] is None:
            rows = read_content(self.path).rows if self.path.exists() else []
            found = {(row.namespace, row.key) for row in rows}
            expected = {(name, key) for name in self.model for key in self.live(name)}
            self.case.assertLessEqual(expected, found)

    def do_restart(self) -> None:
        self.is_failing = False
        self.clock.pump([RETRY, LINGER])
        self.case.successResultOf(self.brain.flushed())
        self.case.successResultOf(self.brain.close())
        self.open()

    def do_jump(self, seconds: float) -> None:
        self.wall += seconds


class RealThreadTests(TestCase):
    async def test_round(self) -> None:
        """With real threads: remember from many at once, flush, close, and the next one knows."""
        path = Path(self.mktemp()) / FILE_NAME
        brain = Brain(path, reactor)
        await brain.open()

        def work(name: str) -> None:
            memory = brain.namespace(name)
            for number in range(100):
                memory[str(number)] = number
                memory.increment("count")

        work("here")
        await deferToThread(work, "there")
        await brain.flushed()
        self.assertEqual(len(read_content(path).rows), 202)
        brain.namespace("here").clear()
        await brain.close()
        again = Brain(path, reactor)
        await again.open()
        self.assertEqual(dict(again.namespace("here")), {})
        self.assertEqual(again.namespace("there")["count"], 100)
        await again.close()

    def test_killed(self) -> None:
        """Whenever SIGKILL comes, what was flushed is in the file, and the file is sound."""
        script = """
            import sys
            from pathlib import Path
            from twisted.internet import reactor
            from twisted.internet.defer import Deferred
            from xbot.state.brain.brain import Brain

            brain = Brain(Path(sys.argv[1]), reactor)

            async def run():
                await brain.open()
                memory = brain.namespace("a")
                print("first", memory.get("count", 0), flush=True)
                while True:
                    count = memory.increment("count")
                    memory[str(count)] = ["x" * (count % 3000)] * (count % 3)
                    memory.pop(str(count - 20), None)
                    await brain.flushed()
                    print("flushed", count, flush=True)

            Deferred.fromCoroutine(run()).addErrback(print)
            reactor.run()
        """
        path = Path(self.mktemp()) / FILE_NAME
        before = 0
        for life in range(4):
            child = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(script), str(path)],
                env=environment(),
                stdout=subprocess.PIPE,
                text=True,
            )
            too_late = threading.Timer(60, child.kill)
            too_late.start()
            assert child.stdout is not None
            self.assertGreaterEqual(int(child.stdout.readline().split()[1]), before)
            told = [child.stdout.readline() for _ in range(10 + 7 * life)]
            os.kill(child.pid, signal.SIGKILL)
            told += child.stdout.read().splitlines()
            self.assertEqual(child.wait(60), -signal.SIGKILL)
            too_late.cancel()
            child.stdout.close()
            flushed = int([line for line in told if line.startswith("flushed")][-1].split()[1])
            self.assertGreater(flushed, before)
            rows = {row.key: row.text for row in read_content(path).rows}
            count = int(rows["count"])
            # What was written and not told is there, or not.
            self.assertIn(count, (flushed, flushed + 1))
            newest = range(max(1, count - 19), count + 1)
            self.assertEqual(set(rows), {"count", *map(str, newest)})
            for number in newest:
                self.assertEqual(len(rows[str(number)]) > 2, number % 3 != 0)
            # Opening checks it.
            BrainFile(path).close()
            before = flushed
