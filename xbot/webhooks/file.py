"""The webhook spool's SQLite file: schema and queries.

Blocking: use one thread. For durability, locking and recovery see
:mod:`xbot.state.sqlite.file`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from hashlib import sha256

from attrs import frozen

from xbot.model.errors import XbotError
from xbot.model.fair_share import may_have_more
from xbot.state.sqlite.file import DurableFile, Kind
from xbot.webhooks.report import Item

#: Name of the file in the state folder.
FILE_NAME = "webhooks.sqlite"

#: ``PRAGMA user_version`` of the schema below.
VERSION = 1

#: Maximum number of waiting texts, of which one room gets at most its fair share
#: (:mod:`xbot.model.fair_share`); maximum number of deduplication keys that are kept.
MAX_WAITING, MAX_KNOWN = 2000, 50_000

# "batch" is the id of the message that contains the text, NULL until that is sent. "known" holds
# the keys for deduplication, and when each was last new.
_SCHEMA = """
CREATE TABLE waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    room TEXT NOT NULL,
    body TEXT NOT NULL,
    accepted REAL NOT NULL,
    batch TEXT
);
CREATE TABLE known (key BLOB PRIMARY KEY, said REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX said ON known (said);
"""


class TooMuchWaits(XbotError):
    """The queue of the room is full (back-pressure). The client should retry later."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} messages wait to be said")


#: For :mod:`xbot.state.sqlite`.
KIND = Kind(
    "webhook spool",
    VERSION,
    _SCHEMA,
    meanwhile="webhooks are answered 503",
    loss="What webhooks had to say and was not said yet is lost",
)


@frozen
class Waiting:
    """One text that is not delivered yet; ``batch`` is the id of its message, None if unsent.

    ``accepted`` is in seconds since 1970.
    """

    number: int
    room: str
    body: str
    accepted: float
    batch: str | None = None


class SpoolFile(DurableFile):
    """One open spool file. After any exception it is closed: open a new one."""

    kind = KIND

    # The actions, each in one transaction.

    def keep(
        self,
        source: str,
        room: str,
        items: Sequence[Item],
        said: Callable[[Sequence[Item]], str],
        now: float,
        window: float,
    ) -> Waiting | None:
        """Deduplicate ``items``, and store the text ``said(new items)``; None if none is new.

        An item is a duplicate if the same ``source`` posted its key for the same ``room``
        within the last ``window`` seconds; 0 for no deduplication. An item without a key is
        always new. ``now`` is in seconds since 1970.

        :raises TooMuchWaits: when the queue of this room is full.
        """
        execute = self._connection.execute
        taken, own = execute(
            "SELECT count(*), count(CASE WHEN room = ? THEN 1 END) FROM waiting", (room,)
        ).fetchone()
        if not may_have_more(own, taken, MAX_WAITING):
            raise TooMuchWaits(own)
        news = []
        for item in items:
            if item.key is None:
                news.append(item)
                continue
            key = _key(source, room, item.key)
            # Wall clock: a monotonic one does not survive a restart. abs(): it may jump back.
            found = execute("SELECT said FROM known WHERE key = ?", (key,)).fetchone()
            if window and found is not None and abs(now - found[0]) < window:
                continue
            execute("REPLACE INTO known (key, said) VALUES (?, ?)", (key, now))
            news.append(item)
        if not news:
            return None
        body = said(news)
        done = execute(
            "INSERT INTO waiting (room, body, accepted) VALUES (?, ?, ?)", (room, body, now)
        )
        assert done.lastrowid is not None
        return Waiting(done.lastrowid, room, body, now)

    def binds(self, body: str, event: str, now: float) -> bool:
        """Bind a signed body to its event; False if it is bound to another one already.

        For as long as its key is among the :data:`MAX_KNOWN`. ``body`` is a digest.
        """
        # One key of two halves, so that one search finds whether the body has another event.
        half = _key("signed body", body)[:16]
        key = half + _key("event", event)[:16]
        found = self._connection.execute(
            "SELECT key FROM known WHERE key BETWEEN ? AND ?", (half, half + b"\xff" * 16)
        ).fetchone()
        if found is not None and found[0] != key:
            return False
        self._connection.execute("REPLACE INTO known (key, said) VALUES (?, ?)", (key, now))
        return True

    def say(self, numbers: Collection[int], batch: str) -> None:
        """Record that these texts are sent together, in the message with the id ``batch``."""
        self._connection.executemany(
            "UPDATE waiting SET batch = ? WHERE number = ?", ((batch, each) for each in numbers)
        )

    def remove(self, numbers: Collection[int]) -> None:
        """Delete texts that were delivered, or will never be sent."""
        self._connection.executemany(
            "DELETE FROM waiting WHERE number = ?", ((number,) for number in numbers)
        )

    def waiting(self) -> list[Waiting]:
        """All undelivered texts, in FIFO order."""
        return [
            Waiting(*row)
            for row in self._connection.execute(
                "SELECT number, room, body, accepted, batch FROM waiting ORDER BY number"
            )
        ]

    def forget(self) -> None:
        """Prune the oldest deduplication keys beyond :data:`MAX_KNOWN`."""
        self._connection.execute(
            "DELETE FROM known WHERE key IN (SELECT key FROM known ORDER BY said DESC"
            " LIMIT -1 OFFSET ?)",
            (MAX_KNOWN,),
        )


def _key(*parts: str) -> bytes:
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
