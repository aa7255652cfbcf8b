"""One SQLite file in the state folder. Blocking: all but :func:`reading` belongs into one thread.

Everything here is committed with ``synchronous=FULL``: what a transaction has
promised outlives the process, the machine and its power.
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

#: Seconds to wait while somebody else (a person with sqlite3) holds the file.
BUSY_TIMEOUT = 2.0

#: What SQLite has against one statement and its values, whatever the file is like.
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
    """One kind of file: its name for people, its tables, its errors.

    ``version`` is the ``PRAGMA user_version`` of the ``schema``. ``meanwhile``
    says what follows while it cannot be written, and ``loss`` what follows from the loss
    of a broken file, as a sentence.
    """

    name: str
    version: int
    schema: str = field(repr=False)
    unavailable: type[FileUnavailable]
    unusable: type[UnusableFile]
    meanwhile: str = field(kw_only=True)
    loss: str = field(kw_only=True)


def connect(path: Path) -> sqlite3.Connection:
    """A connection with explicit transactions, for one thread at a time."""
    return sqlite3.connect(
        path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )


class BrokenFile(XbotError):
    """The file is no such file any more. It must be moved aside."""


class DurableFile:
    """One open file. Anything but a result means that it was closed: open another one."""

    kind: ClassVar[Kind]

    def __init__(self, path: Path, connect: Connect = connect) -> None:
        self._path = path
        try:
            # Before SQLite would, with whatever the umask allows.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = connect(path)
        except (sqlite3.Error, OSError) as error:
            raise self.kind.unavailable(path, reason(error)) from error
        try:
            #: Which file it is; another one can come to the same path.
            self.inode = os.stat(path).st_ino
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            self.close()
            if _is_broken(error):
                raise BrokenFile(reason(error)) from error
            raise self.kind.unavailable(path, reason(error)) from error
        except XbotError:
            self.close()
            raise

    def _prepare(self) -> None:
        execute = self._connection.execute
        (version,) = execute("PRAGMA user_version").fetchone()
        if version > self.kind.version:
            raise self.kind.unusable(self._path, f"a later version of xbot made it ({version})")
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
        """Do all ``actions`` in one transaction, which costs one fsync; their results.

        An action's own mistake, or a value that SQLite does not take, is its own
        result, a Failure, and nothing of that action is done; the others go on.
        When the file fails, none of them was done.

        :raises xbot.model.file_state.FileUnavailable: of its kind, and the file is closed.
        """
        try:
            if os.stat(self._path).st_ino != self.inode:
                raise OSError("it was replaced by another file")
            self._connection.execute("BEGIN IMMEDIATE")
            results = [self._result(action) for action in actions]
            self._connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise self.kind.unavailable(self._path, reason(error)) from error
        return results

    def _result(self, action: Callable[[Self], Any]) -> Any:
        execute = self._connection.execute
        execute("SAVEPOINT action")
        try:
            result = action(self)
        except _OF_ONE:
            # One that is refused each time must not keep all others from the disk.
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


def take_lock(kind: Kind, path: Path) -> int:
    """Make the file at ``path`` this process's own, until it ends or closes what is returned.

    Makes the folder, too, which only its owner may read.

    :raises xbot.model.file_state.UnusableFile: of its kind, when another process has it.
    :raises xbot.model.file_state.FileUnavailable: of its kind, when there can be no lock now.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not the file itself: closing any descriptor of it would undo SQLite's own locks.
        lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise kind.unavailable(path, reason(error)) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise kind.unusable(
            path, "another bot is using this state folder; give each its own (state =)"
        ) from error
    except OSError as error:
        os.close(lock)
        raise kind.unavailable(path, reason(error)) from error
    return lock


def move_aside(kind: Kind, path: Path) -> Path:
    """Rename a broken file with all that belongs to it; gives its new path.

    :raises xbot.model.file_state.FileUnavailable: of its kind, when it cannot be renamed.
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
        raise kind.unavailable(path, reason(error)) from error
    return aside


@contextmanager
def reading(kind: Kind, path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a file that may be in use, which it changes nothing of.

    :raises xbot.model.file_state.FileUnavailable: of its kind, when there is none, or what is
        done with it inside fails.
    """
    try:
        os.stat(path)
    except FileNotFoundError:
        raise kind.unavailable(path, f"there is no {kind.name} here") from None
    except OSError as error:
        raise kind.unavailable(path, reason(error)) from None
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    if not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists():
        # Reading what nobody writes takes no lock, which would have to be made.
        uri += "&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise kind.unavailable(path, reason(error)) from error


def _is_broken(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN
