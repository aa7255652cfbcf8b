"""Tests of :mod:`xbot.state.journal.file`: durability, whenever the process dies."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from unittest import mock

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.effort import examples
from tests.state.journal.test_journal import MESSAGE
from xbot.model.file_state import FileUnavailable
from xbot.state.journal import file as journal_file
from xbot.state.journal.file import FILE_NAME, JournalFile, read_entries
from xbot.state.sqlite.file import BrokenFile, move_aside


class JournalFileCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = folder / FILE_NAME

    def fill(self, file: JournalFile, count: int, outcome: str | None = "silent") -> None:
        """So many entries, accepted one a second."""

        def action(file: JournalFile) -> None:
            for number in range(count):
                accepted = file.accept(evolve(MESSAGE, key=os.urandom(8).hex()), "x", number)
                if outcome and accepted:
                    file.finish(accepted, outcome, number)

        file.commit([action])


class FileTests(JournalFileCase):
    def test_durable(self) -> None:
        """The settings on which durability rests are those of the connection."""
        file = JournalFile(self.path)
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("user_version", 1)):
            found = file._connection.execute(f"PRAGMA {pragma}").fetchone()
            self.assertEqual(found, (value,), pragma)
        file.close()

    def test_all_or_nothing(self) -> None:
        """When the file fails in the middle of a transaction, none of it was done."""
        file = JournalFile(self.path)
        self.fill(file, 1)

        def fails(file: JournalFile) -> None:
            file.accept(MESSAGE, "x", 0.0)
            raise OSError(5, "Input/output error")

        with self.assertRaises(FileUnavailable) as caught:
            file.commit([lambda file: file.accept(MESSAGE, "y", 0.0), fails])
        self.assertEqual(caught.exception.reason, "Input/output error")
        self.assertEqual(len(read_entries(self.path, 9)), 1)

    def test_unsaid_is_the_last_word(self) -> None:
        """The first outcome stays, except that an answer came back; its time stays as well."""
        file = JournalFile(self.path)
        self.fill(file, 1, "answered")
        for outcome, expected in (("failed", "answered"), ("unsaid, cut", "unsaid, cut")):
            file.commit([lambda file, outcome=outcome: file.finish(1, outcome, 99.0)])
            (entry,) = read_entries(self.path, 9)
            self.assertEqual((entry.outcome, entry.ended), (expected, 0.0))

    def test_newest_are_kept(self) -> None:
        """A wall clock that jumps years ahead leaves the newest, and takes the others in parts."""
        self.patch(journal_file, "ALWAYS_KEPT", 50)
        file = JournalFile(self.path)
        self.fill(file, 800)
        pruned = [file.commit([lambda file: file.prune(9e9)])[0] for _ in range(3)]
        self.assertEqual(pruned, [500, 250, 0])
        file.close()

    def test_never_too_many(self) -> None:
        """The number of entries has a bound, however young they are."""
        self.patch(journal_file, "MAX_ENTRIES", 300)
        self.patch(journal_file, "ALWAYS_KEPT", 50)
        file = JournalFile(self.path)
        self.fill(file, 400)
        self.assertEqual(file.commit([lambda file: file.prune(-1.0)]), [100])
        file.close()

    def test_unfinished_are_kept(self) -> None:
        """What has no outcome is not pruned: it will be reported."""
        self.patch(journal_file, "ALWAYS_KEPT", 1)
        file = JournalFile(self.path)
        self.fill(file, 10, outcome=None)
        self.assertEqual(file.commit([lambda file: file.prune(9e9)]), [0])
        file.close()

    def test_moved_aside(self) -> None:
        """What is moved aside takes its log along and replaces nothing."""
        moved = set()
        for number in range(3):
            self.path.write_text(f"broken {number}")
            with self.assertRaises(BrokenFile):
                JournalFile(self.path)
            Path(f"{self.path}-wal").write_text("log")
            aside = move_aside(self.path)
            self.assertEqual(aside.read_text(), f"broken {number}")
            self.assertEqual(Path(f"{aside}-wal").read_text(), "log")
            moved.add(aside)
        self.assertEqual(len(moved), 3)
        self.assertEqual(len(list(self.path.parent.iterdir())), 6)


class ReadTests(JournalFileCase):
    def test_while_in_use(self) -> None:
        """Another process reads what is committed, and nothing that is not."""
        file = JournalFile(self.path)
        self.fill(file, 3)
        file._connection.execute("BEGIN IMMEDIATE")
        file.accept(MESSAGE, "y", 0.0)
        entries = read_entries(self.path, 2)
        self.assertEqual([entry.number for entry in entries], [2, 3])
        file.close()

    def test_not_in_use(self) -> None:
        """A journal that was closed is read, and left as it was."""
        file = JournalFile(self.path)
        self.fill(file, 3)
        file.close()
        content = self.path.read_bytes()
        self.assertEqual(len(read_entries(self.path, 9)), 3)
        with mock.patch("os.access", return_value=False):
            self.assertEqual(len(read_entries(self.path, 9)), 3)
        self.assertEqual(self.path.read_bytes(), content)

    def test_none(self) -> None:
        """No journal, and something else in its place, are clear errors; none is made."""
        with self.assertRaisesRegex(FileUnavailable, "there is no journal here"):
            read_entries(self.path, 9)
        self.assertFalse(self.path.exists())
        self.path.write_text("something else")
        with self.assertRaisesRegex(FileUnavailable, "not a database"):
            read_entries(self.path, 9)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), st.sampled_from("abcd")),
        st.tuples(st.just("finish"), st.integers(0, 9)),
        st.tuples(st.just("kill"), st.sampled_from(["idle", "committing"])),
    ),
    max_size=25,
)


class CrashTests(SynchronousTestCase):
    @settings(max_examples=examples(60))
    @given(STEPS)
    def test_any_life(self, steps: list[tuple[str, object]]) -> None:
        """Whatever is accepted, finished and killed: no key runs twice, none is left untold."""
        ran: list[str] = []
        with tempfile.TemporaryDirectory() as folder:
            world = _World(Path(folder))
            for step, what in steps:
                if step == "accept":
                    if world.accept(str(what)):
                        ran.append(str(what))
                elif step == "finish":
                    world.finish(what)
                else:
                    world.kill(while_committing=what == "committing")
            world.kill()
            self.assertEqual(len(ran), len(set(ran)))
            self.assertEqual(sorted(world.told + world.finished), sorted(ran))
            world.file.close()


class _World:
    """Model of a journal whose process is killed: the entries that it must report afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lives = 0
        self.under_way: dict[int, str] = {}
        self.finished: list[str] = []
        self.told: list[str] = []
        (folder / "0").mkdir()
        self.file = JournalFile(folder / "0" / FILE_NAME)

    def accept(self, key: str) -> bool:
        message = evolve(MESSAGE, key=key, body=key)
        (number,) = self.file.commit([lambda file: file.accept(message, "x", 0.0)])
        if number is not None:
            self.under_way[number] = key
        return number is not None

    def finish(self, which: object) -> None:
        if self.under_way:
            number = sorted(self.under_way)[int(str(which)) % len(self.under_way)]
            self.file.commit([lambda file: file.finish(number, "answered", 0.0)])
            self.finished.append(self.under_way.pop(number))

    def kill(self, while_committing: bool = False) -> None:
        """The next process finds the files as they are at this moment."""
        if while_committing:
            self.file._connection.execute("BEGIN IMMEDIATE")
            self.file.accept(evolve(MESSAGE, key="never", body="never"), "x", 0.0)
        self.lives += 1
        after = self.folder / str(self.lives)
        shutil.copytree(self.folder / str(self.lives - 1), after)
        self.file.close()
        self.file = JournalFile(after / FILE_NAME)
        self.under_way.clear()
        *_, last = self.file.commit(
            [lambda file: file.settle((), "interrupted", 0.0), JournalFile.last_number]
        )
        (entries,) = self.file.commit([lambda file: file.interrupted(last)])
        for entry in entries:
            self.told.append(entry.message.body)
            self.file.commit([lambda file, entry=entry: file.reported(entry.number)])
