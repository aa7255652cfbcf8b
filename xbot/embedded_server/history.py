"""Room history, and the part of it that a joining client asks for (XEP-0045 7.2.14)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from attrs import frozen

from xbot.embedded_server import markup
from xbot.embedded_server.markup import Element

#: Maximum number of messages in a room's history.
MAX_HISTORY = 100


@frozen
class HistoryEntry:
    """One message of a room's history, sent at ``seconds`` since the epoch."""

    stanza: Element
    seconds: float


def wanted_history(
    history: deque[HistoryEntry], wish: Element | None, now: float
) -> Iterator[HistoryEntry]:
    """The history entries that a joining client asked for; all without a ``wish``.

    ``since`` is ignored, and so is a malformed number.
    """
    entries = list(history)
    if wish is not None:
        seconds = _number(wish.getAttribute("seconds"))
        if seconds is not None:
            entries = [entry for entry in entries if now - entry.seconds <= seconds]
        stanzas = _number(wish.getAttribute("maxstanzas"))
        if stanzas is not None:
            entries = entries[len(entries) - min(stanzas, len(entries)) :]
        characters = _number(wish.getAttribute("maxchars"))
        if characters is not None:
            entries = _last_that_fit(entries, characters)
    return iter(entries)


def _last_that_fit(entries: list[HistoryEntry], characters: int) -> list[HistoryEntry]:
    fitting: list[HistoryEntry] = []
    for entry in reversed(entries):
        characters -= len(markup.serialise(entry.stanza))
        if characters < 0:
            break
        fitting.insert(0, entry)
    return fitting


def _number(text: str | None) -> int | None:
    return int(text) if text and len(text) < 10 and text.isascii() and text.isdigit() else None
