"""The journal's SQLite file. Blocking: all but :func:`read_entries` belongs into one thread.

Everything here is committed with ``synchronous=FULL``: what a method's
transaction has promised outlives the process, the machine and its power.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from twisted.python.failure import Failure

from xbot.entry import Entry, JournalUnavailable, UnusableJournal, digest, kept
from xbot.errors import XbotError
from xbot.message import Message

#: What it is called in the state folder.
FILE_NAME = "journal.sqlite"

#: ``PRAGMA user_version`` of the schema below.
VERSION = 1

#: Seconds to wait while somebody else (a person with sqlite3) holds the file.
BUSY_TIMEOUT = 2.0

#: Pruning looks at so many of the oldest entries at once, never touches the
#: newest ones, and keeps no more than this in all.
PRUNE_BATCH = 500
ALWAYS_KEPT = 1000
MAX_ENTRIES = 100_000

# The number alone says what came first: wall clocks jump. AUTOINCREMENT never
# gives one again.
_SCHEMA = """
CREATE TABLE entry (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB NOT NULL,
    responder TEXT NOT NULL,
    accepted REAL NOT NULL,
    ended REAL,
    outcome TEXT,
    reported INTEGER NOT NULL DEFAULT 0,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    type TEXT,
    room TEXT,
    nick TEXT,
    identity TEXT,
    body TEXT NOT NULL,
    UNIQUE (key, responder)
);
CREATE INDEX unfinished ON entry (number) WHERE outcome IS NULL;
CREATE INDEX unreported ON entry (number) WHERE outcome = 'interrupted' AND NOT reported;
"""

_FIELDS = (
    "number, responder, accepted, ended, outcome, sender, recipient, type, room, nick, identity,"
    " body"
)
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

Connect = Callable[[Path], sqlite3.Connection]


def connect(path: Path) -> sqlite3.Connection:
    """A connection with explicit transactions, for one thread at a time."""
    return sqlite3.connect(
        path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )


class BrokenFile(XbotError):
    """The file is no journal any more. It must be moved aside."""


class JournalFile:
    """One open file. Anything but a result means that it was closed: open another one."""

    def __init__(self, path: Path, connect: Connect = connect) -> None:
        self._path = path
        try:
            # Before SQLite would, with whatever the umask allows.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = connect(path)
        except (sqlite3.Error, OSError) as error:
            raise JournalUnavailable(path, _reason(error)) from error
        try:
            self._inode = os.stat(path).st_ino
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            self.close()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN:
                raise BrokenFile(_reason(error)) from error
            raise JournalUnavailable(path, _reason(error)) from error
        except XbotError:
            self.close()
            raise

    def _prepare(self) -> None:
        execute = self._connection.execute
        (version,) = execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise UnusableJournal(self._path, f"a later version of xbot made it ({version})")
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA journal_size_limit = 4194304")
        (found,) = execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise BrokenFile(str(found))
        if version == 0:
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"
            )

    def commit(self, actions: Sequence[Callable[[JournalFile], Any]]) -> list[Any]:
        """Do all ``actions`` in one transaction, which costs one fsync; their results.

        An action's own mistake is its own result, a Failure. When the file
        fails, none of them was done.

        :raises JournalUnavailable: and the file is closed.
        """
        try:
            if os.stat(self._path).st_ino != self._inode:
                raise OSError("it was replaced by another file")
            self._connection.execute("BEGIN IMMEDIATE")
            results = [self._result(action) for action in actions]
            self._connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise JournalUnavailable(self._path, _reason(error)) from error
        return results

    def _result(self, action: Callable[[JournalFile], Any]) -> Any:
        try:
            return action(self)
        except (sqlite3.Error, OSError):
            raise
        except Exception:
            return Failure()

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()

    # What actions do, each in one statement.

    def accept(self, message: Message, responder: str, now: float) -> int | None:
        """A new entry's number; None when there is one of this key and responder."""
        assert message.key is not None
        entry = kept(message)
        done = self._connection.execute(
            "INSERT INTO entry (key, responder, accepted, sender, recipient, type, room, nick,"
            " identity, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                digest(message.key),
                responder,
                now,
                entry.sender,
                entry.recipient,
                entry.payload.get("type"),
                entry.room,
                entry.nick,
                entry.identity,
                entry.body,
            ),
        )
        return done.lastrowid if done.rowcount else None

    def finish(self, number: int, outcome: str, now: float) -> None:
        """Note what came of an entry. Its first outcome counts."""
        self._connection.execute(
            "UPDATE entry SET outcome = ?, ended = ? WHERE number = ? AND outcome IS NULL",
            (outcome, now, number),
        )

    def settle(self, known: Collection[int], outcome: str, now: float) -> None:
        """Give ``outcome`` to every entry without one, but for the ``known``."""
        unfinished = self._connection.execute("SELECT number FROM entry WHERE outcome IS NULL")
        for (number,) in unfinished.fetchall():
            if number not in known:
                self.finish(number, outcome, now)

    def last_number(self) -> int:
        (number,) = self._connection.execute("SELECT max(number) FROM entry").fetchone()
        return number or 0

    def interrupted(self, last: int) -> list[Entry]:
        """The interrupted ones that nobody was told of, up to the number ``last``, in order."""
        return self._entries(
            f"SELECT {_FIELDS} FROM entry"  # noqa: S608 - a constant
            " WHERE outcome = 'interrupted' AND NOT reported AND number <= ? ORDER BY number",
            last,
        )

    def reported(self, number: int) -> None:
        self._connection.execute("UPDATE entry SET reported = 1 WHERE number = ?", (number,))

    def recent(self, limit: int) -> list[Entry]:
        """The newest ``limit`` entries, the newest last."""
        return self._entries(
            f"SELECT {_FIELDS} FROM entry ORDER BY number DESC LIMIT ?",  # noqa: S608 - a constant
            limit,
        )[::-1]

    def prune(self, before: float) -> int:
        """Forget some of what was accepted ``before``, or is too much; tells how many.

        Only the oldest are looked at, so that a wall clock that jumps ahead
        does not forget everything at once; the newest stay whatever it says.
        """
        done = self._connection.execute(
            """
            DELETE FROM entry WHERE number IN (
                SELECT number
                FROM (SELECT number, accepted, outcome FROM entry ORDER BY number LIMIT ?)
                WHERE outcome IS NOT NULL AND (
                    number <= (SELECT max(number) FROM entry) - ?
                    OR accepted < ? AND number <= (
                        SELECT number FROM entry ORDER BY number DESC LIMIT 1 OFFSET ?
                    )
                )
            )
            """,
            (PRUNE_BATCH, MAX_ENTRIES, before, ALWAYS_KEPT),
        )
        return done.rowcount

    def _entries(self, query: str, parameter: int) -> list[Entry]:
        return [_entry(row) for row in self._connection.execute(query, (parameter,))]


def take_lock(path: Path) -> int:
    """Make the journal at ``path`` this process's own, until it ends or closes what is returned.

    Makes the folder, too, which only its owner may read.

    :raises UnusableJournal: when another process has it.
    :raises JournalUnavailable: when there can be no lock now.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not the file itself: closing any descriptor of it would undo SQLite's own locks.
        lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalUnavailable(path, _reason(error)) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise UnusableJournal(
            path, "another bot is using this state folder; give each its own (state =)"
        ) from error
    except OSError as error:
        os.close(lock)
        raise JournalUnavailable(path, _reason(error)) from error
    return lock


def move_aside(path: Path) -> Path:
    """Rename a broken journal with all that belongs to it; gives its new path."""
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
        raise JournalUnavailable(path, _reason(error)) from error
    return aside


def read_entries(path: Path, limit: int) -> list[Entry]:
    """The newest entries of a journal that may be in use, the newest last; changes nothing.

    :raises JournalUnavailable: when there is none, or it cannot be read.
    """
    if not path.exists():
        raise JournalUnavailable(path, "there is no journal here")
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    if not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists():
        # Reading what nobody writes takes no lock, which would have to be made.
        uri += "&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT)) as connection:
            rows = connection.execute(
                f"SELECT {_FIELDS} FROM entry ORDER BY number DESC LIMIT ?",  # noqa: S608
                (limit,),
            ).fetchall()
    except sqlite3.Error as error:
        raise JournalUnavailable(path, _reason(error)) from error
    return [_entry(row) for row in reversed(rows)]


def _entry(row: tuple[Any, ...]) -> Entry:
    number, responder, accepted, ended, outcome, sender, recipient, type_, *where, body = row
    room, nick, identity = where
    message = Message(
        sender, recipient, body, {"type": type_} if type_ else {}, room, nick, identity
    )
    return Entry(number, message, responder, accepted, ended, outcome)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)
