"""Tests of :mod:`xbot.state.sqlite.writer`: group commit, and a disk that fails."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, globalLogPublisher

from tests.state.journal.test_journal import MESSAGE, InTurn, JournalCase
from xbot.model.file_state import FileUnavailable
from xbot.state.journal.file import JournalFile
from xbot.state.journal.journal import Journal
from xbot.state.sqlite import file as durable_file
from xbot.state.sqlite import writer as durable_writer
from xbot.state.sqlite.file import connect
from xbot.state.sqlite.writer import CLOSE_TIMEOUT, RETRY


class GroupCommitTests(JournalCase):
    def test_one_transaction(self) -> None:
        """All that comes while one transaction is under way is in the next one together."""
        commits: list[int] = []

        class Counted(JournalFile):
            def commit(self, actions: Any) -> list[Any]:
                commits.append(len(actions))
                return super().commit(actions)

        journal = self.journal(open_file=Counted)
        commits.clear()
        self.in_turn.is_held = True
        accepted = [journal.accept(evolve(MESSAGE, key=str(n)), "x") for n in range(101)]
        self.assertNoResult(accepted[0])
        self.in_turn.work()
        self.assertEqual(commits, [1, 100])
        numbers = [self.successResultOf(each) for each in accepted]
        self.assertEqual(numbers, list(range(1, 102)))

    def test_not_too_many(self) -> None:
        """A transaction has its bound, and so has what waits: more is refused at once."""
        self.patch(durable_writer, "MAX_BATCH", 3)
        self.patch(durable_writer, "MAX_WAITING", 5)
        journal = self.journal()
        self.in_turn.is_held = True
        accepted = [journal.accept(evolve(MESSAGE, key=str(n)), "x") for n in range(7)]
        refused = self.failureResultOf(accepted.pop(), FileUnavailable)
        self.assertEqual(refused.value.reason, "too many writes wait for the disk")
        self.in_turn.work()
        self.assertEqual([self.successResultOf(each) for each in accepted], [1, 2, 3, 4, 5, 6])

    def test_order(self) -> None:
        """A message that comes twice before the disk answers is accepted once."""
        journal = self.journal()
        self.in_turn.is_held = True
        accepted = [journal.accept(MESSAGE, "x") for _ in range(3)]
        self.in_turn.work()
        self.assertEqual([self.successResultOf(each) for each in accepted], [1, None, None])


class FailingDiskTests(JournalCase):
    def setUp(self) -> None:
        super().setUp()
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
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

    def fragile(self, **options: Any) -> Journal:
        return self.journal(open_file=lambda path: JournalFile(path, self.connect), **options)

    def accept(self, journal: Journal, key: str = "1") -> Deferred[int | None]:
        return journal.accept(evolve(MESSAGE, key=key), "deploy")

    def errors(self) -> list[str]:
        return [
            str(event["reason"])
            for event in self.events
            if event["log_level"] is LogLevel.error and "cannot be written" in event["log_format"]
        ]

    def test_refused_and_back(self) -> None:
        """While it fails nothing is accepted and the state says why; then it works by itself."""
        journal = self.fragile()
        self.failing = "disk I/O error"
        self.now = 2000.0
        self.failureResultOf(self.accept(journal), FileUnavailable)
        for _ in range(3):
            self.now += RETRY
            self.clock.advance(RETRY)
            failure = self.failureResultOf(self.accept(journal), FileUnavailable)
            self.assertEqual(failure.value.reason, "disk I/O error")
        self.assertEqual((journal.state.problem, journal.state.since), ("disk I/O error", 2000.0))
        self.assertEqual(self.errors(), ["disk I/O error"])
        self.failing = None
        self.clock.advance(RETRY)
        self.assertEqual(str(journal.state), "ok")
        self.assertEqual(self.successResultOf(self.accept(journal)), 1)

    def test_outcomes_wait(self) -> None:
        """Outcomes are kept while it fails, and written when it works again."""
        journal = self.fragile()
        number = self.successResultOf(self.accept(journal))
        assert number is not None
        self.failing = "disk I/O error"
        finished = journal.finish(number, "answered")
        interrupted = journal.interrupted()
        self.assertNoResult(finished)
        self.failing = None
        self.clock.advance(RETRY)
        self.successResultOf(finished)
        self.assertEqual(self.successResultOf(interrupted), [])
        (entry,) = self.successResultOf(journal.recent(1))
        self.assertEqual(entry.outcome, "answered")

    def test_written_although_refused(self) -> None:
        """What the disk refused and wrote all the same is neither run nor reported."""

        class Liar(JournalFile):
            def commit(liar, actions: Any) -> list[Any]:
                results = super().commit(actions)
                if self.failing:
                    liar.close()
                    raise FileUnavailable(self.path, self.failing)
                return results

        journal = self.journal(open_file=Liar)
        running = self.successResultOf(self.accept(journal, "before"))
        self.failing = "fsync failed"
        self.failureResultOf(self.accept(journal), FileUnavailable)
        self.failing = None
        self.clock.advance(RETRY)
        self.assertIsNone(self.successResultOf(self.accept(journal)))
        first, second = self.successResultOf(journal.recent(2))
        self.assertEqual((first.number, first.outcome), (running, None))
        self.assertEqual(second.outcome, "refused")

    def test_full(self) -> None:
        """A real SQLite without room refuses, keeps what it has, and goes on when there is room."""
        limit = [40]

        def small(path: Path) -> sqlite3.Connection:
            connection = connect(path)
            connection.execute(f"PRAGMA max_page_count = {limit[0]}")
            return connection

        journal = self.journal(open_file=lambda path: JournalFile(path, small))
        keys = iter(map(str, range(10_000)))
        accepted = 0
        while journal.state.problem is None:
            result: list[Any] = []
            body = "x" * 1000
            journal.accept(evolve(MESSAGE, key=next(keys), body=body), "x").addBoth(result.append)
            accepted += isinstance(result[0], int)
        self.assertIn("full", str(journal.state))
        self.assertGreater(accepted, 20)
        limit[0] = 1000
        self.clock.advance(RETRY)
        self.assertEqual(str(journal.state), "ok")
        self.assertEqual(len(self.successResultOf(journal.recent(10_000))), accepted)

    def test_locked(self) -> None:
        """A file that somebody else holds is a refusal, not a wait for ever."""
        self.patch(durable_file, "BUSY_TIMEOUT", 0.01)
        journal = self.journal()
        other = connect(self.path)
        other.execute("BEGIN IMMEDIATE")
        self.failureResultOf(self.accept(journal), FileUnavailable)
        self.assertIn("locked", str(journal.state))
        other.close()
        self.clock.advance(RETRY)
        self.assertEqual(self.successResultOf(self.accept(journal)), 1)

    def test_removed(self) -> None:
        """A file that was removed under it is noticed before anything runs."""
        journal = self.journal()
        self.path.unlink()
        self.failureResultOf(self.accept(journal), FileUnavailable)
        self.clock.advance(RETRY)
        self.assertIsNotNone(self.successResultOf(self.accept(journal)))

    def test_no_folder(self) -> None:
        """A state folder that cannot be made is told in the state, and opening still returns."""
        self.path.parent.parent.mkdir()
        self.path.parent.write_text("in the way")
        journal = self.journal()
        self.assertIn("exists", str(journal.state).lower())
        self.failureResultOf(self.accept(journal), FileUnavailable)
        self.path.parent.unlink()
        self.clock.advance(RETRY)
        self.assertEqual(self.successResultOf(self.accept(journal)), 1)

    def test_mistake_in_one_action(self) -> None:
        """An action's own mistake is its own failure; what shares its transaction is done."""
        journal = self.journal()
        self.in_turn.is_held = True
        first = self.accept(journal, "0")
        bad = journal._writer.do(lambda file: 1 // 0)
        good = self.accept(journal)
        self.in_turn.work()
        self.failureResultOf(bad, ZeroDivisionError)
        self.assertEqual([self.successResultOf(each) for each in (first, good)], [1, 2])

    def test_value_that_sqlite_does_not_take(self) -> None:
        """One row that is refused each time fails by itself; it keeps nothing from the disk."""

        def refused(file: JournalFile) -> None:
            file._connection.execute("INSERT INTO entry DEFAULT VALUES")

        journal = self.journal()
        self.in_turn.is_held = True
        first = self.accept(journal, "0")
        bad = journal._writer.do(refused, retry=True)
        good = self.accept(journal)
        self.in_turn.work()
        self.failureResultOf(bad, sqlite3.IntegrityError)
        self.assertEqual([self.successResultOf(each) for each in (first, good)], [1, 2])
        self.assertIsNone(journal.state.problem)

    def test_half_an_action(self) -> None:
        """Of an action that fails nothing is done, what it did before its mistake included."""

        def half(file: JournalFile) -> None:
            file._connection.execute("DELETE FROM entry")
            raise ValueError("ours")

        journal = self.journal()
        self.successResultOf(self.accept(journal))
        self.failureResultOf(journal._writer.do(half), ValueError)
        self.assertEqual(len(self.successResultOf(journal.recent(9))), 1)

    def test_closed_while_failing(self) -> None:
        """Closing does not wait for a disk that fails."""
        journal = self.fragile()
        number = self.successResultOf(self.accept(journal))
        assert number is not None
        self.failing = "disk I/O error"
        finished = journal.finish(number, "answered")
        self.successResultOf(journal.close())
        self.failureResultOf(finished, FileUnavailable)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_flushed_by_close(self) -> None:
        """What waits when it is closed is written first."""
        journal = self.journal()
        self.in_turn.is_held = True
        accepted = [self.accept(journal, key) for key in "123"]
        closed = journal.close()
        self.failureResultOf(self.accept(journal, "4"), FileUnavailable)
        self.assertNoResult(closed)
        self.in_turn.work()
        self.successResultOf(closed)
        self.assertEqual([self.successResultOf(each) for each in accepted], [1, 2, 3])

    def test_stuck_disk(self) -> None:
        """A disk that never answers keeps nobody from leaving, and its late answer harms nobody."""
        for opens in (True, False):
            self.in_turn = InTurn()
            self.path = self.path.with_name(f"{opens}.sqlite")
            journal = Journal(self.path, self.clock, in_thread=self.in_turn)
            self.in_turn.is_held = not opens
            opened = journal.open()
            self.in_turn.is_held = True
            accepted = self.accept(journal)
            closed = journal.close()
            self.clock.advance(CLOSE_TIMEOUT)
            self.successResultOf(closed)
            self.in_turn.work()
            self.successResultOf(opened)
            accepted.addErrback(lambda failure: failure.trap(FileUnavailable))
