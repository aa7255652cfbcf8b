"""Backup and restore of the state folder: one archive of consistent copies. Blocking.

The archive is a gzipped tar file: ``manifest.json`` and the state files. A backup may be
made while the bot runs: databases are copied by SQLite's online backup, with what is in
their WAL; the other files are always replaced as a whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from attrs import frozen

from xbot import __version__
from xbot.chat.xmpp.rooms.invited_rooms import FILE_NAME as ROOMS
from xbot.chat.xmpp.security.downgrade import FILE_NAME as LOGIN
from xbot.model.errors import XbotError, reason
from xbot.model.file_state import FileUnavailable, UnusableFile
from xbot.state.brain.brain import FILE_NAME as BRAIN
from xbot.state.brain.file import KIND as BRAIN_KIND
from xbot.state.journal.file import FILE_NAME as JOURNAL
from xbot.state.journal.file import KIND as JOURNAL_KIND
from xbot.state.sqlite.file import Kind, reading, take_lock
from xbot.webhooks.file import FILE_NAME as SPOOL
from xbot.webhooks.file import KIND as SPOOL_KIND

#: The files of a backup: databases with their kind, and small JSON files.
DATABASES = {JOURNAL: JOURNAL_KIND, BRAIN: BRAIN_KIND, SPOOL: SPOOL_KIND}
FILES = (*DATABASES, ROOMS, LOGIN)

MANIFEST = "manifest.json"

#: Version of the archive's form.
FORMAT = 1

#: Maximum size of the manifest, and of one file of an archive, in bytes.
MAX_MANIFEST, MAX_FILE = 64 * 1024, 8 << 30

_CHUNK = 1 << 20


class BackupFailed(XbotError):
    """The backup was not made, or not restored; nothing was changed."""


@frozen
class Kept:
    """One file of an archive: name, size in bytes, SHA-256, and a database's schema version."""

    name: str
    size: int
    sha256: str
    version: int | None = None


def back_up(folder: Path, archive: Path, wall_clock: Callable[[], float] = time.time) -> list[Kept]:
    """Write a new ``archive`` (mode 0600) of the state ``folder``; return what is in it.

    :raises BackupFailed: when it exists, a file cannot be read, or there is nothing to keep.
    """
    with _told(archive), ExitStack() as at_end:
        if os.path.lexists(archive):
            raise BackupFailed(f"{archive} exists already")
        # In the archive's folder: the copies are as large, and as private, as the archive.
        scratch = Path(at_end.enter_context(_scratch(archive.absolute().parent)))
        kept = [_copy(folder / name, scratch / name) for name in FILES if _is_there(folder / name)]
        if not kept:
            raise BackupFailed(f"{folder}: there is no state of a bot here")
        manifest = {
            "format": FORMAT,
            "xbot": __version__,
            "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall_clock())),
            "files": [
                {"name": k.name, "size": k.size, "sha256": k.sha256, "version": k.version}
                for k in kept
            ],
        }
        (scratch / MANIFEST).write_text(json.dumps(manifest, indent=1))
        made = scratch / "archive"
        with open(made, "xb", opener=_private) as file:
            with tarfile.open(fileobj=file, mode="w:gz") as tar:
                for name in (MANIFEST, *(each.name for each in kept)):
                    tar.add(scratch / name, name, filter=_anonymous)
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: it fails if the archive exists by now.
        os.link(made, archive)
        return kept


def restore(
    archive: Path, folder: Path, *, replace: bool = False, now: Callable[[], float] = time.time
) -> tuple[list[Kept], Path | None]:
    """Put the files of ``archive`` into the state ``folder`` of a bot that does not run.

    The whole archive is checked first. With ``replace``, files that are there are moved into
    a new folder beside them. Returns what was restored, and that folder, if any.

    :raises BackupFailed: when the archive is damaged or made by a later version, when the bot
        runs, or when files are there and ``replace`` is false.
    """
    with _told(archive), ExitStack() as at_end:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in DATABASES:
                at_end.callback(os.close, take_lock(folder / name))
        except (UnusableFile, FileUnavailable) as error:
            raise BackupFailed(f"{error}; stop the bot first") from None
        old = [path for path in sorted(folder.iterdir()) if _stem(path.name) in FILES]
        if old and not replace:
            names = ", ".join(path.name for path in old)
            raise BackupFailed(f"{folder} has a state already ({names}); --replace moves it aside")
        scratch = Path(at_end.enter_context(_scratch(folder)))
        kept = _unpack(archive, scratch)
        for each in kept:
            _give_to(folder, scratch / each.name)
        aside = _move_aside(old, folder, now()) if old else None
        for each in kept:
            os.rename(scratch / each.name, folder / each.name)
        _sync(folder)
        return kept, aside


def _is_there(path: Path) -> bool:
    """Whether the file exists. A folder that cannot be entered is an error, not an empty one."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _stem(name: str) -> str:
    """The name without SQLite's suffixes."""
    return name.removesuffix("-wal").removesuffix("-shm")


def _copy(path: Path, copy: Path) -> Kept:
    kind = DATABASES.get(path.name)
    if kind is None:
        shutil.copyfile(path, copy)
        return _kept(copy, None)
    with reading(kind, path) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        (version,) = target.execute("PRAGMA user_version").fetchone()
    return _kept(copy, version)


def _kept(path: Path, version: int | None) -> Kept:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Kept(path.name, path.stat().st_size, digest, version)


def _unpack(archive: Path, scratch: Path) -> list[Kept]:
    """Unpack the archive into ``scratch``, and check every file of it."""
    found: list[Kept] = []
    with tarfile.open(archive, "r:gz") as tar:
        expected = _manifest(tar, archive)
        for member in islice(tar, 1, None):
            kept = expected.pop(member.name, None)
            if kept is None or not member.isreg() or member.size != kept.size:
                raise BackupFailed(f"{archive}: it is damaged, at {member.name!r}")
            _extract(tar, member, scratch / kept.name)
            if _kept(scratch / kept.name, kept.version) != kept:
                raise BackupFailed(f"{archive}: {kept.name} is damaged")
            _check(scratch / kept.name)
            found.append(kept)
    if expected:
        raise BackupFailed(f"{archive}: {', '.join(expected)} is missing")
    return found


def _manifest(tar: tarfile.TarFile, archive: Path) -> dict[str, Kept]:
    """The files that the archive should have, by name, from its first member."""
    first = tar.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > MAX_MANIFEST:
        raise BackupFailed(f"{archive}: this is no backup of xbot")
    content = tar.extractfile(first)
    assert content is not None
    try:
        told: dict[str, Any] = json.loads(content.read())
        if told["format"] != FORMAT:
            raise BackupFailed(f"{archive}: a later version of xbot made it ({told['xbot']})")
        kept = [
            Kept(str(f["name"]), int(f["size"]), str(f["sha256"]), f["version"])
            for f in told["files"]
        ]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BackupFailed(f"{archive}: its {MANIFEST} is damaged") from None
    if any(each.name not in FILES or each.size > MAX_FILE for each in kept):
        raise BackupFailed(f"{archive}: it names files that are not xbot's")
    return {each.name: each for each in kept}


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = tar.extractfile(member)
    assert content is not None
    with open(path, "xb", opener=_private) as file:
        shutil.copyfileobj(content, file, _CHUNK)
        file.flush()
        os.fsync(file.fileno())


def _check(path: Path) -> None:
    """Raise :class:`BackupFailed` if this version of xbot cannot use the database."""
    kind = DATABASES.get(path.name)
    if kind is None:
        return
    with closing(sqlite3.connect(path)) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (state,) = database.execute("PRAGMA quick_check(1)").fetchone()
    _require(version <= kind.version, kind, f"a later version of xbot made it ({version})")
    _require(state == "ok", kind, str(state))


def _require(holds: bool, kind: Kind, problem: str) -> None:
    if not holds:
        raise BackupFailed(f"the {kind.name} of the backup cannot be used: {problem}")


def _move_aside(old: list[Path], folder: Path, now: float) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    aside = Path(tempfile.mkdtemp(prefix=f"before-restore-{stamp}-", dir=folder))
    _give_to(folder, aside)
    for path in old:
        os.rename(path, aside / path.name)
    return aside


def _give_to(folder: Path, path: Path) -> None:
    """Give ``path`` to the owner of the state folder, where root restores."""
    if os.geteuid() == 0:
        status = folder.stat()
        os.chown(path, status.st_uid, status.st_gid)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """An entry without the user's name, which the backup does not need."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _scratch(folder: Path) -> Iterator[str]:
    """A private temporary folder in ``folder``."""
    made = tempfile.mkdtemp(prefix=".xbot-backup-", dir=folder)
    try:
        yield made
    finally:
        with suppress(OSError):
            shutil.rmtree(made)


@contextmanager
def _told(archive: Path) -> Iterator[None]:
    """Raise what the system or SQLite has to say as :class:`BackupFailed`."""
    try:
        yield
    except (OSError, EOFError, sqlite3.Error, tarfile.TarError, FileUnavailable) as error:
        told = str(error) if isinstance(error, FileUnavailable) else f"{archive}: {reason(error)}"
        raise BackupFailed(told) from error
