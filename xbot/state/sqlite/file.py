"""Durable SQLite file in the state folder. Blocking; use it in one thread, but for :func:`reading`.

Transactions are committed with ``synchronous=FULL``: committed data survives a crash
of the process or the machine, and a power failure.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import quote

from attrs import field, frozen
from twisted.python.failure import Failure

from xbot.model.errors import XbotError, reason
from xbot.model.file_state import FileUnavailable, UnusableFile

#: Seconds to wait for the lock of another process (for example the sqlite3 shell).
BUSY_TIMEOUT = 2.0

#: Errors that concern one statement or its values, not the file.
_OF_ONE = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.NotSupportedError,
    sqlite3.ProgrammingError,
)

_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

Connect = Callable[[Path], sqlite3.Connection]


@frozen
class Kind:
    """One kind of state file: its display name, and its schema.

    ``version`` is the ``PRAGMA user_version`` of the ``schema``. ``meanwhile`` is a
    text for the log: the consequence while the file cannot be written; ``loss`` is
    another: the consequence of the loss of a broken file, as a sentence.
    """

    name: str
    version: int
    schema: str = field(repr=False)
    meanwhile: str = field(kw_only=True)
    loss: str = field(kw_only=True)


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection with explicit transactions, for use by one thread at a time."""
    return sqlite3.connect(
        path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )


class BrokenFile(XbotError):
    """The file is corrupt, or no SQLite database. Move it aside."""


class DurableFile:
    """One open state file. A method that raises has closed it: open a new one."""

    kind: ClassVar[Kind]

    def __init__(self, path: Path, connect: Connect = connect) -> None:
        self._path = path
        try:
            # Created before SQLite does it with the umask's permissions.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = connect(path)
        except (sqlite3.Error, OSError) as error:
            raise FileUnavailable(path, reason(error)) from error
        try:
            #: Identifies the open file; another file may replace it at the same path.
            self.inode = os.stat(path).st_ino
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            self.close()
            if _is_broken(error):
                raise BrokenFile(reason(error)) from error
            raise FileUnavailable(path, reason(error)) from error
        except XbotError:
            self.close()
            raise

    def _prepare(self) -> None:
        execute = self._connection.execute
        (version,) = execute("PRAGMA user_version").fetchone()
        if version > self.kind.version:
            raise UnusableFile(self._path, f"a later version of xbot made it ({version})")
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA journal_size_limit = 4194304")
        (found,) = execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise BrokenFile(str(found))
        if version == 0:
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {self.kind.schema}"
                f" PRAGMA user_version = {self.kind.version}; COMMIT;"
            )

    def commit(self, actions: Sequence[Callable[[Self], Any]]) -> list[Any]:
        """Group commit: run all ``actions`` in one transaction (one fsync); return their results.

        If an action raises, or SQLite rejects a value of it, its result is a Failure and
        it is rolled back (by a savepoint); the others go on. If the file fails, none of
        them is done.

        :raises xbot.model.file_state.FileUnavailable: and the file is closed.
        """
        try:
            if os.stat(self._path).st_ino != self.inode:
                raise OSError("it was replaced by another file")
            self._connection.execute("BEGIN IMMEDIATE")
            results = [self._result(action) for action in actions]
            self._connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise FileUnavailable(self._path, reason(error)) from error
        return results

    def _result(self, action: Callable[[Self], Any]) -> Any:
        execute = self._connection.execute
        execute("SAVEPOINT action")
        try:
            result = action(self)
        except _OF_ONE:
            # A statement that always fails must not keep the other actions from the disk.
            result = Failure()
        except (sqlite3.Error, OSError):
            raise
        except Exception:
            result = Failure()
        if isinstance(result, Failure):
            execute("ROLLBACK TO action")
        execute("RELEASE action")
        return result

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()


def take_lock(path: Path) -> int:
    """Lock the file at ``path`` for this process; return the descriptor of the lock file.

    The lock lasts until the process ends or closes the descriptor. The folder is created
    if needed, readable only by its owner.

    :raises xbot.model.file_state.UnusableFile: when another process has the lock.
    :raises xbot.model.file_state.FileUnavailable: when locking fails.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A file of its own: closing any descriptor of the database would drop SQLite's locks.
        lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FileUnavailable(path, reason(error)) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise UnusableFile(
            path, "another bot is using this state folder; give each its own (state =)"
        ) from error
    except OSError as error:
        os.close(lock)
        raise FileUnavailable(path, reason(error)) from error
    return lock


def move_aside(path: Path) -> Path:
    """Rename a corrupt file with its WAL files; return the new path.

    :raises xbot.model.file_state.FileUnavailable: when it cannot be renamed.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside, more = Path(f"{path}.broken-{stamp}"), 0
    while aside.exists():
        more += 1
        aside = Path(f"{path}.broken-{stamp}.{more}")
    try:
        for suffix in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                os.rename(f"{path}{suffix}", f"{aside}{suffix}")
    except OSError as error:
        raise FileUnavailable(path, reason(error)) from error
    return aside


@contextmanager
def reading(kind: Kind, path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection to a file that may be in use.

    :raises xbot.model.file_state.FileUnavailable: when the file does not exist,
        or an operation within the ``with`` block fails.
    """
    try:
        os.stat(path)
    except FileNotFoundError:
        raise FileUnavailable(path, f"there is no {kind.name} here") from None
    except OSError as error:
        raise FileUnavailable(path, reason(error)) from None
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    if not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists():
        # No writer and no permission to create a lock file: read without locks.
        uri += "&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise FileUnavailable(path, reason(error)) from error


def _is_broken(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN
