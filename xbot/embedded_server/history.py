"""What a room remembers, and how much of it a joining client gets (XEP-0045 7.2.14)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from attrs import frozen

from xbot.embedded_server import markup
from xbot.embedded_server.markup import Element

#: How many messages a room remembers.
MAX_HISTORY = 100


@frozen
class DowngradeProtection:
    """One message of a room's history; ``seconds`` since the epoch."""

    stanza: Element
    seconds: float


def wanted_history(
    history: deque[DowngradeProtection], wish: Element | None, now: float
) -> Iterator[DowngradeProtection]:
    """XEP-0045 7.2.14: what of the history a joining client asked for; all if it did not.

    ``since`` is not looked at; a number that is none counts as not given.
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


def _last_that_fit(
    entries: list[DowngradeProtection], characters: int
) -> list[DowngradeProtection]:
    fitting: list[DowngradeProtection] = []
    for entry in reversed(entries):
        characters -= len(markup.serialise(entry.stanza))
        if characters < 0:
            break
        fitting.insert(0, entry)
    return fitting


def _number(text: str | None) -> int | None:
    return int(text) if text and len(text) < 10 and text.isascii() and text.isdigit() else None
