"""Format journal entries as a table, or as JSON Lines."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence

from xbot.model.journal_entry import Entry
from xbot.text.durations import shown

_TITLES = ("accepted", "took", "outcome", "responder", "who", "where", "what")

#: Maximum width of a column, in characters; longer cells and the last column overflow.
WIDEST = 40


def as_table(entries: Iterable[Entry]) -> str:
    """Aligned columns, one line per entry. Control characters are escaped."""
    rows = [_TITLES, *(_row(entry) for entry in entries)]
    if len(rows) == 1:
        return "nothing was journalled yet\n"
    cells = [[_shown(cell) for cell in row] for row in rows]
    widths = [
        max(len(cell) for cell in column if len(cell) <= WIDEST)
        for column in zip(*cells, strict=True)
    ]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        + "\n"
        for row in cells
    )


def as_json(entries: Iterable[Entry]) -> str:
    """JSON Lines: one object per entry. Times are seconds since 1970; ASCII only."""
    return "".join(
        json.dumps(
            {
                "number": entry.number,
                "accepted": entry.accepted,
                "ended": entry.ended,
                "outcome": entry.outcome,
                "responder": entry.responder,
                "sender": entry.message.sender,
                "identity": entry.message.identity,
                "nick": entry.message.nick,
                "room": entry.message.room,
                "public": entry.message.is_public,
                "body": entry.message.body,
            }
        )
        + "\n"
        for entry in entries
    )


def _took(seconds: float) -> str:
    """A duration without blanks, for programs that split the table at them."""
    return shown(max(0.0, seconds)).replace(" ", "")


def _row(entry: Entry) -> Sequence[str]:
    """The cells of one entry, in the order of the titles."""
    message = entry.message
    # Anyone can take a nick: add the real address where it is known.
    speaker = message.nick or message.sender
    who = f"{speaker} ({message.identity})" if message.nick and message.identity else speaker
    where = "in private" if not message.is_public else message.room or message.recipient
    if not message.is_public and message.room:
        where = f"in private through {message.room}"
    return (
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.accepted)),
        "" if entry.ended is None else _took(entry.ended - entry.accepted),
        entry.outcome or "unfinished",
        entry.responder,
        who,
        where,
        message.body,
    )


def _shown(text: str) -> str:
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )
