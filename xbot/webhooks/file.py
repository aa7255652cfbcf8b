"""The SQLite file of what webhooks have to say. Blocking: all of it belongs into one thread.

What a file of the state folder promises is in :mod:`xbot.state.sqlite.file`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from hashlib import sha256

from attrs import frozen

from xbot.model.errors import XbotError
from xbot.model.fair_share import may_have_more
from xbot.model.file_state import FileUnavailable, UnusableFile
from xbot.state.sqlite.file import DurableFile, Kind
from xbot.webhooks.report import Item

#: What it is called in the state folder.
FILE_NAME = "webhooks.sqlite"

#: ``PRAGMA user_version`` of the schema below.
VERSION = 1

#: No more than this waits to be said, for one room no more than is left of it, and no more keys
#: are remembered.
MAX_WAITING, MAX_KNOWN = 2000, 50_000

# "batch" is the id of the message that a text was said in, and NULL before.
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


class SpoolUnavailable(FileUnavailable):
    """What is posted cannot be kept now. The spool tries again by itself; so should who posts."""


class UnusableSpool(UnusableFile):
    """The file is another bot's, or a later version's."""


class TooMuchWaits(XbotError):
    """So much waits to be said there that no more is taken. Who posts should try again later."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} messages wait to be said")


#: For :mod:`xbot.state.sqlite`.
KIND = Kind(
    "webhook spool",
    VERSION,
    _SCHEMA,
    SpoolUnavailable,
    UnusableSpool,
    meanwhile="webhooks are answered 503",
    loss="What webhooks had to say and was not said yet is lost",
)


@frozen
class Waiting:
    """One text that waits to be said, or was said in the message ``batch``."""

    number: int
    room: str
    body: str
    accepted: float
    batch: str | None = None


class SpoolFile(DurableFile):
    """One open file. Anything but a result means that it was closed: open another one."""

    kind = KIND

    # What actions do.

    def keep(
        self,
        source: str,
        room: str,
        items: Sequence[Item],
        said: Callable[[Sequence[Item]], str],
        now: float,
        window: float,
    ) -> Waiting | None:
        """Have what ``said`` makes of those items that are news; None when none of them is.

        News of this ``source`` in this ``room`` is what was not said there
        within the last ``window`` seconds.

        :raises TooMuchWaits: when no more is taken for this room.
        """
        execute = self._connection.execute
        taken, own = execute(
            "SELECT count(*), count(CASE WHEN room = ? THEN 1 END) FROM waiting", (room,)
        ).fetchone()
        if not may_have_more(own, taken, MAX_WAITING):
            raise TooMuchWaits(own)
        news = []
        for item in items:
            key = _key(source, room, item.key)
            # By the wall clock, the only one that outlives a restart; whichever way it jumps.
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

    def say(self, numbers: Collection[int], batch: str) -> None:
        """These are said together, in the message with this id."""
        self._connection.executemany(
            "UPDATE waiting SET batch = ? WHERE number = ?", ((batch, each) for each in numbers)
        )

    def remove(self, numbers: Collection[int]) -> None:
        """These have arrived, or will never be said."""
        self._connection.executemany(
            "DELETE FROM waiting WHERE number = ?", ((number,) for number in numbers)
        )

    def waiting(self) -> list[Waiting]:
        """All that has not arrived, in the order in which it came."""
        return [
            Waiting(*row)
            for row in self._connection.execute(
                "SELECT number, room, body, accepted, batch FROM waiting ORDER BY number"
            )
        ]

    def forget(self) -> None:
        """Of too many keys, forget the oldest."""
        self._connection.execute(
            "DELETE FROM known WHERE key IN (SELECT key FROM known ORDER BY said DESC"
            " LIMIT -1 OFFSET ?)",
            (MAX_KNOWN,),
        )


def _key(*parts: str) -> bytes:
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
