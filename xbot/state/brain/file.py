"""The brain's SQLite file: schema and queries.

Blocking: use one thread for all but :func:`read_content`. For durability, locking and
recovery see :mod:`xbot.state.sqlite.file`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen

from xbot.model.file_state import FileUnavailable
from xbot.state.brain.contents import Place, Row
from xbot.state.brain.lasting import Moment
from xbot.state.sqlite.file import DurableFile, Kind, reading

#: ``PRAGMA user_version`` of the schema below.
VERSION = 1

# "number" is the insertion order of the keys. "stamp" has one row, the time of the last
# write: "now" on the brain's own clock, in which "expires" is given, and the rest on the
# machine's clocks.
_SCHEMA = """
CREATE TABLE memory (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    expires REAL,
    number INTEGER NOT NULL,
    PRIMARY KEY (namespace, key)
) WITHOUT ROWID;
CREATE INDEX expiring ON memory (expires) WHERE expires IS NOT NULL;
CREATE TABLE stamp (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    now REAL NOT NULL,
    boot TEXT NOT NULL,
    uptime REAL NOT NULL,
    wall REAL NOT NULL
);
"""

#: For :mod:`xbot.state.sqlite`.
KIND = Kind(
    "brain",
    VERSION,
    _SCHEMA,
    meanwhile="what responders remember is in memory alone until it can",
    loss="What responders remembered is forgotten",
)


#: Valid column types of a row: SQLite does not enforce them, and people edit the file.
_TYPES = ((str, str, str, float, int), (str, str, str, type(None), int))


@frozen
class Stamp:
    """Time of the last write: on the brain's own clock, and on the machine's clocks."""

    now: float
    moment: Moment


@frozen
class Content:
    """All valid rows of a file in insertion order; ``stamp`` is None if it was never written.

    ``unreadable`` is the number of invalid rows, which are left out.
    """

    rows: list[Row]
    stamp: Stamp | None
    unreadable: int


class BrainFile(DurableFile):
    """One open brain file. After any exception it is closed: open a new one."""

    kind = KIND

    # The actions

    def content(self) -> Content:
        return _content(self._connection)

    def write(self, rows: Iterable[Row], gone: Iterable[Place], stamp: Stamp) -> Stamp:
        """Upsert ``rows``, delete the places ``gone`` and all expired rows, and set the stamp."""
        self._connection.executemany(
            "INSERT INTO memory (namespace, key, value, expires, number) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET"
            " value = excluded.value, expires = excluded.expires, number = excluded.number",
            ((row.namespace, row.key, row.text, row.expires, row.number) for row in rows),
        )
        self._connection.executemany("DELETE FROM memory WHERE namespace = ? AND key = ?", gone)
        self._connection.execute("DELETE FROM memory WHERE expires <= ?", (stamp.now,))
        moment = stamp.moment
        self._connection.execute(
            "REPLACE INTO stamp (only, now, boot, uptime, wall) VALUES (1, ?, ?, ?, ?)",
            (stamp.now, moment.boot, moment.uptime, moment.wall),
        )
        return stamp

    def clear(self) -> None:
        """Delete all rows."""
        self._connection.execute("DELETE FROM memory")


def read_content(path: Path) -> Content:
    """Read the whole brain. Read-only; the bot may be running.

    :raises FileUnavailable: when there is no brain, or it cannot be read.
    """
    with reading(KIND, path) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise FileUnavailable(path, f"a later version of xbot made it ({version})")
        # One transaction: a consistent snapshot of rows and stamp.
        connection.execute("BEGIN")
        return _content(connection)


def _content(connection: sqlite3.Connection) -> Content:
    # People edit the file: it may hold text that is not UTF-8.
    connection.text_factory = _as_text
    stamp = connection.execute("SELECT now, boot, uptime, wall FROM stamp").fetchone()
    found = connection.execute(
        "SELECT namespace, key, value, expires, number FROM memory ORDER BY number"
    ).fetchall()
    rows = [Row(*row) for row in found if tuple(map(type, row)) in _TYPES]
    return Content(
        rows,
        Stamp(stamp[0], Moment(*stamp[1:])) if stamp is not None else None,
        len(found) - len(rows),
    )


def _as_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
