"""Tests of :mod:`xbot.app.backup`."""

import io
import json
import os
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.trial import unittest

from xbot.app import backup
from xbot.app.backup import MANIFEST, BackupFailed, back_up, restore
from xbot.model.message import Message
from xbot.state.journal.file import FILE_NAME, JournalFile, read_entries
from xbot.state.sqlite.file import take_lock


class BackupCase(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(mode=0o700)
        self.other = Path(self.mktemp()).absolute()
        self.archive = Path(self.mktemp()).absolute()
        self.file = JournalFile(self.folder / FILE_NAME)
        self.addCleanup(self.file.close)
        (self.folder / "rooms.json").write_text("[]")
        self.add("a")

    def add(self, key: str) -> None:
        message = Message("al@x/y", "b@x", f"deploy {key}", {"type": "chat"}, key=key)
        self.file.commit([lambda file: file.accept(message, "deploy", 0.0)])

    def bodies(self, folder: Path) -> list[str]:
        return [entry.message.body for entry in read_entries(folder / FILE_NAME, 99)]

    def forge(self, change: Any) -> None:
        """Replace the archive by a forged one; ``change`` changes its members' contents."""
        with tarfile.open(self.archive) as tar:
            members = {each.name: tar.extractfile(each).read() for each in tar}
        change(members)
        with tarfile.open(self.archive, "w:gz") as tar:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


class BackupTests(BackupCase):
    def test_there_and_back(self) -> None:
        """A backup of a bot that runs has all that was committed, WAL included, and is private."""
        self.assertGreater(os.path.getsize(self.folder / f"{FILE_NAME}-wal"), 0)
        kept = back_up(self.folder, self.archive)
        self.add("b")
        self.assertEqual([each.name for each in kept], [FILE_NAME, "rooms.json"])
        self.assertEqual(self.archive.stat().st_mode & 0o777, 0o600)
        self.assertEqual(restore(self.archive, self.other), (kept, None))
        # Nothing temporary is left.
        left = {"brain.lock", "journal.lock", "webhooks.lock", FILE_NAME, "rooms.json"}
        self.assertEqual(set(os.listdir(self.other)), left)
        self.assertEqual(self.bodies(self.other), ["deploy a"])
        self.assertEqual((self.other / "rooms.json").read_text(), "[]")
        self.assertEqual(self.other.stat().st_mode & 0o777, 0o700)
        self.assertEqual((self.other / FILE_NAME).stat().st_mode & 0o777, 0o600)
        # The bot can use it.
        JournalFile(self.other / FILE_NAME).close()

    def test_no_overwriting(self) -> None:
        """Neither a file that exists is overwritten, nor a folder without a state backed up."""
        self.archive.write_text("mine")
        self.assertRaises(BackupFailed, back_up, self.folder, self.archive)
        self.assertEqual(self.archive.read_text(), "mine")
        self.other.mkdir()
        new = self.archive.with_suffix(".new")
        error = self.assertRaises(BackupFailed, back_up, self.other, new)
        self.assertIn("there is no state of a bot here", str(error))
        self.assertFalse(new.exists())


class RestoreTests(BackupCase):
    def setUp(self) -> None:
        super().setUp()
        back_up(self.folder, self.archive)

    def refused(self, folder: Path, why: str) -> None:
        error = self.assertRaises(BackupFailed, restore, self.archive, folder)
        self.assertIn(why, str(error))

    def test_a_state_is_there(self) -> None:
        """A state that is there stays, or is moved aside as a whole."""
        self.add("b")
        self.refused(self.folder, "--replace")
        self.assertEqual(self.bodies(self.folder), ["deploy a", "deploy b"])
        _, aside = restore(self.archive, self.folder, replace=True, now=lambda: 0.0)
        assert aside is not None
        self.assertTrue(aside.name.startswith("before-restore-19700101T000000Z-"))
        self.assertEqual(self.bodies(self.folder), ["deploy a"])
        self.assertEqual(self.bodies(aside), ["deploy a", "deploy b"])

    def test_a_bot_that_runs(self) -> None:
        """Nothing is restored below a bot that runs."""
        self.other.mkdir()
        lock = take_lock(self.other / "brain.sqlite")
        self.addCleanup(os.close, lock)
        self.refused(self.other, "stop the bot first")

    def test_damage(self) -> None:
        """An archive that is damaged, of another kind or of a later version changes nothing."""

        def told(change: Any) -> Any:
            def forge(members: dict[str, bytes]) -> None:
                manifest = json.loads(members[MANIFEST])
                change(manifest, members)
                members[MANIFEST] = json.dumps(manifest).encode()

            return forge

        def version(number: int) -> Any:
            def forge(members: dict[str, bytes]) -> None:
                path = Path(self.mktemp())
                path.write_bytes(members[FILE_NAME])
                with closing(sqlite3.connect(path)) as database:
                    database.execute(f"PRAGMA user_version = {number}")
                    database.commit()
                members[FILE_NAME] = path.read_bytes()
                kept = backup._kept(path, number)
                manifest = json.loads(members[MANIFEST])
                manifest["files"][0].update(size=kept.size, sha256=kept.sha256)
                members[MANIFEST] = json.dumps(manifest).encode()

            return forge

        whole = self.archive.read_bytes()
        for change, why in (
            (lambda m: m.pop("rooms.json"), "rooms.json is missing"),
            (lambda m: m.update({"rooms.json": b"[1"}), "rooms.json is damaged"),
            (lambda m: m.update({"rooms.json": b"[]]"}), "damaged, at 'rooms.json'"),
            (lambda m: m.update({"../x": b""}), "damaged, at '../x'"),
            (lambda m: m.pop(MANIFEST), "no backup of xbot"),
            (lambda m: m.update({MANIFEST: b"{"}), "manifest.json is damaged"),
            (told(lambda told, m: told.update(format=2)), "a later version of xbot made it"),
            (told(lambda told, m: told["files"][0].update(name="../x")), "not xbot's"),
            (version(999), "the journal of the backup cannot be used: a later version"),
        ):
            self.archive.write_bytes(whole)
            self.forge(change)
            self.refused(self.other, why)
        for data in (b"", b"no archive", whole[: len(whole) // 2]):
            self.archive.write_bytes(data)
            self.refused(self.other, str(self.archive))
        locks = {"brain.lock", "journal.lock", "webhooks.lock"}
        self.assertEqual(set(os.listdir(self.other)), locks)
        self.assertFalse((self.other.parent / "x").exists())
