"""The journal's SQLite file. Blocking: all but :func:`read_entries` belongs into one thread.

What a file of the state folder promises is in :mod:`xbot.state.sqlite.file`.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from xbot.model.journal_entry import (
    INTERRUPTED,
    LAPSED,
    WAITING,
    Entry,
    JournalUnavailable,
    UnusableJournal,
    digest,
    kept,
)
from xbot.model.message import Message
from xbot.state.sqlite.file import DurableFile, Kind, reading

#: What it is called in the state folder.
FILE_NAME = "journal.sqlite"

#: ``PRAGMA user_version`` of the schema below.
VERSION = 1

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

#: For :mod:`xbot.state.sqlite`.
KIND = Kind(
    "journal",
    VERSION,
    _SCHEMA,
    JournalUnavailable,
    UnusableJournal,
    meanwhile="no command with effects runs",
)


class JournalFile(DurableFile):
    """One open journal. Anything but a result means that it was closed: open another one."""

    kind = KIND

    # What actions do, each in one statement.

    def accept(
        self, message: Message, responder: str, now: float, outcome: str | None = None
    ) -> int | None:
        """A new entry's number; None when there is one of this key and responder."""
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
        """A new entry that is over already."""
        number = self.accept(message, responder, now)
        if number is not None:
            self.finish(number, outcome, now)

    def agree(self, number: int) -> None:
        """What waited runs from now on."""
        self._connection.execute(
            "UPDATE entry SET outcome = NULL WHERE number = ? AND outcome = 'waiting'", (number,)
        )

    def finish(self, number: int, outcome: str, now: float) -> None:
        """Note what came of an entry. Its first outcome counts."""
        self._connection.execute(
            "UPDATE entry SET outcome = ?, ended = ? WHERE number = ?"
            " AND (outcome IS NULL OR outcome = 'waiting')",
            (outcome, now, number),
        )

    def settle(self, known: Collection[int], outcome: str, now: float) -> None:
        """Give ``outcome`` to every entry without one, but for the ``known``.

        What only waited was not interrupted, but lapsed.
        """
        unfinished = self._connection.execute(
            "SELECT number, outcome FROM entry WHERE outcome IS NULL OR outcome = 'waiting'"
        )
        for number, before in unfinished.fetchall():
            if number not in known:
                is_lapsed = before == WAITING and outcome == INTERRUPTED
                self.finish(number, LAPSED if is_lapsed else outcome, now)

    def last_number(self) -> int:
        (number,) = self._connection.execute("SELECT max(number) FROM entry").fetchone()
        return number or 0

    def interrupted(self, last: int) -> list[Entry]:
        """What was interrupted or lapsed, up to the number ``last``, and nobody was told of."""
        return self._entries(
            f"SELECT {_FIELDS} FROM entry"  # noqa: S608 - a constant
            " WHERE outcome IN ('interrupted', 'lapsed') AND NOT reported AND number <= ?"
            " ORDER BY number",
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


def read_entries(path: Path, limit: int) -> list[Entry]:
    """The newest entries of a journal that may be in use, the newest last; changes nothing.

    :raises JournalUnavailable: when there is none, or it cannot be read.
    """
    with reading(KIND, path) as connection:
        rows = connection.execute(
            f"SELECT {_FIELDS} FROM entry ORDER BY number DESC LIMIT ?",  # noqa: S608 - a constant
            (limit,),
        ).fetchall()
    return [_entry(row) for row in reversed(rows)]


def _entry(row: tuple[Any, ...]) -> Entry:
    number, responder, accepted, ended, outcome, sender, recipient, type_, *where, body = row
    room, nick, identity = where
    message = Message(
        sender, recipient, body, {"type": type_} if type_ else {}, room, nick, identity
    )
    return Entry(number, message, responder, accepted, ended, outcome)
