"""The journal's SQLite file: schema and queries.

Blocking: use one thread for all but :func:`read_entries`. For durability, locking and
recovery see :mod:`xbot.state.sqlite.file`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import Any

from xbot.model.journal_entry import (
    INTERRUPTED,
    LAPSED,
    WAITING,
    Entry,
    digest,
    is_unsaid,
    kept,
)
from xbot.model.message import Message
from xbot.state.sqlite.file import DurableFile, Kind, reading

#: Name of the file in the state folder.
FILE_NAME = "journal.sqlite"

#: ``PRAGMA user_version`` of the schema below.
VERSION = 1

#: Pruning examines the PRUNE_BATCH oldest entries at a time, never deletes the ALWAYS_KEPT
#: newest, and keeps at most MAX_ENTRIES.
PRUNE_BATCH = 500
ALWAYS_KEPT = 1000
MAX_ENTRIES = 100_000

# Order entries by number, not by time: wall clocks jump. AUTOINCREMENT never reuses a
# number.
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

#: For :mod:`xbot.state.sqlite`.
KIND = Kind(
    "journal",
    VERSION,
    _SCHEMA,
    meanwhile="no command with effects runs",
    loss="What was accepted before is forgotten: if it is sent once more, it runs once more",
)


class JournalFile(DurableFile):
    """One open journal file. After any exception it is closed: open a new one."""

    kind = KIND

    # The actions.

    def accept(
        self, message: Message, responder: str, now: float, outcome: str | None = None
    ) -> int | None:
        """Insert an entry; return its number, or None for a duplicate key and responder.

        An entry with that key that is older than ``message.key_lasts`` loses its key: it
        belongs to another message.
        """
        number = self._insert(message, responder, now, outcome)
        if number is None and message.key_lasts is not None:
            assert message.key is not None
            # A clock that went back makes no entry older.
            freed = self._connection.execute(
                "UPDATE entry SET key = randomblob(32)"
                " WHERE key = ? AND responder = ? AND accepted < ?",
                (digest(message.key), responder, now - message.key_lasts),
            )
            if freed.rowcount:
                number = self._insert(message, responder, now, outcome)
        return number

    def _insert(
        self, message: Message, responder: str, now: float, outcome: str | None
    ) -> int | None:
        assert message.key is not None
        entry = kept(message)
        done = self._connection.execute(
            "INSERT INTO entry (key, responder, accepted, outcome, sender, recipient, type, room,"
            " nick, identity, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (
                digest(message.key),
                responder,
                now,
                outcome,
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

    def note(self, message: Message, responder: str, outcome: str, now: float) -> None:
        """Insert an entry that is finished already."""
        number = self.accept(message, responder, now)
        if number is not None:
            self.finish(number, outcome, now)

    def agree(self, number: int) -> None:
        """Change a waiting entry to a running one."""
        self._connection.execute(
            "UPDATE entry SET outcome = NULL WHERE number = ? AND outcome = 'waiting'", (number,)
        )

    def finish(self, number: int, outcome: str, now: float) -> None:
        """Set the outcome of an entry. Idempotent: the first outcome stays.

        Only that an answer was not said is noted later, too.
        """
        self._connection.execute(
            "UPDATE entry SET outcome = ?, ended = coalesce(ended, ?) WHERE number = ?"
            " AND (outcome IS NULL OR outcome = 'waiting' OR ?)",
            (outcome, now, number, is_unsaid(outcome)),
        )

    def settle(self, known: Collection[int], outcome: str, now: float) -> None:
        """Set ``outcome`` on every unfinished entry, except the numbers in ``known``.

        A waiting entry did not run: instead of interrupted, it becomes lapsed.
        """
        unfinished = self._connection.execute(
            "SELECT number, outcome FROM entry WHERE outcome IS NULL OR outcome = 'waiting'"
        )
        for number, before in unfinished.fetchall():
            if number not in known:
                is_lapsed = before == WAITING and outcome == INTERRUPTED
                self.finish(number, LAPSED if is_lapsed else outcome, now)

    def last_number(self) -> int:
        """The highest number of an entry; 0 if there is none."""
        (number,) = self._connection.execute("SELECT max(number) FROM entry").fetchone()
        return number or 0

    def interrupted(self, last: int) -> list[Entry]:
        """Unreported interrupted and lapsed entries, up to the number ``last``."""
        found = self._connection.execute(
            f"SELECT {_FIELDS} FROM entry"  # noqa: S608 - a constant
            " WHERE outcome IN ('interrupted', 'lapsed') AND NOT reported AND number <= ?"
            " ORDER BY number",
            (last,),
        )
        return [_entry(row) for row in found]

    def reported(self, number: int) -> None:
        """Mark an interrupted entry as reported."""
        self._connection.execute("UPDATE entry SET reported = 1 WHERE number = ?", (number,))

    def recent(self, limit: int) -> list[Entry]:
        """The newest ``limit`` entries, oldest first."""
        return _recent(self._connection, limit)

    def prune(self, before: float) -> int:
        """Delete entries accepted earlier than ``before``, or beyond MAX_ENTRIES; return how many.

        Only the oldest PRUNE_BATCH are examined, so that a wall clock that jumps ahead
        does not delete everything at once. The newest ALWAYS_KEPT stay in any case.
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


def read_entries(path: Path, limit: int) -> list[Entry]:
    """Read the newest ``limit`` entries, oldest first. Read-only; the bot may be running.

    :raises FileUnavailable: when there is no journal, or it cannot be read.
    """
    with reading(KIND, path) as connection:
        return _recent(connection, limit)


def _recent(connection: sqlite3.Connection, limit: int) -> list[Entry]:
    query = f"SELECT {_FIELDS} FROM entry ORDER BY number DESC LIMIT ?"  # noqa: S608 - a constant
    return [_entry(row) for row in connection.execute(query, (limit,))][::-1]


def _entry(row: tuple[Any, ...]) -> Entry:
    number, responder, accepted, ended, outcome, sender, recipient, type_, *where, body = row
    room, nick, identity = where
    message = Message(
        sender, recipient, body, {"type": type_} if type_ else {}, room, nick, identity
    )
    return Entry(number, message, responder, accepted, ended, outcome)
