"""Notices to people about commands that a restart interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from attrs import evolve
from twisted.internet.defer import Deferred

from xbot.engine.dispatch.journal_gate import JournalGate
from xbot.model.journal_entry import LAPSED, Entry
from xbot.model.message import Message, reply_to

Told = Callable[[], None]

Deliver = Callable[[Message, Told, Told, Told], None]
"""Says a message, and calls the second argument once it has arrived, the third if it never will,
and the last if it is dropped.
"""

#: What a command is called where we cannot know who will read it.
UNNAMED = "what you asked in private"

#: In one place so many are named; the others are counted.
MAX_NAMED = 5

#: Of a command and of a nick no more is repeated, in characters.
MAX_TEXT = 100
MAX_NAME = 50


class Report(NamedTuple):
    """A notice to send, and the journal entries that it reports."""

    message: Message
    entries: tuple[Entry, ...]


def reports(
    entries: Iterable[Entry], now: float, command_of: Callable[[Message], str]
) -> Iterator[Report]:
    """The notices about ``entries``, each for the place of its command.

    ``command_of`` tells what of a message was said to the bot. Times are
    local, and have a date unless it is that of ``now``.
    """
    places: dict[tuple[str, bool], list[Entry]] = {}
    for entry in map(_readdressed, entries):
        # An empty reply tells where answers to it go.
        recipient = reply_to(entry.message, "").recipient
        places.setdefault((recipient, entry.message.is_public), []).append(entry)
    for there in places.values():
        named, others = there[:MAX_NAMED], there[MAX_NAMED:]
        for entry in named:
            text = _text(entry, now, command_of(entry.message))
            yield Report(_report(entry, text), (entry,))
        if others:
            text = f"... and {len(others)} more"
            yield Report(_report(others[0], text), tuple(others))


def tell(
    accepting: JournalGate, deliver: Deliver, now: float, command_of: Callable[[Message], str]
) -> Deferred[None]:
    """Send the notices once, again if they do not arrive; fires when ``deliver`` has all.

    Never fails.
    """

    def got(entries: list[Entry]) -> None:
        for report in reports(entries, now, command_of):
            # Not before it arrived: a process that dies in between tells again. What
            # cannot be said could not be by the next one either, for ever.
            # It is in the journal: however long it waits here, or is told by the next one.
            told = partial(accepting.got_reported, report.entries)
            deliver(report.message, told, told, _leave_to_next)

    return accepting.interrupted().addCallback(got).addErrback(accepting.got_problem)


def _leave_to_next() -> None:
    """Nobody was told: the next process tells."""


def _report(entry: Entry, text: str) -> Message:
    # The journal knows no occupants. What is told to a nick names nothing that was said.
    return evolve(reply_to(entry.message, text), addressee=None)


def _readdressed(entry: Entry) -> Entry:
    """What was said privately through a room is answered to the person, where we know who.

    By now somebody else may have the nick; such a one must not read what was asked.
    """
    message = entry.message
    if message.room is None or message.is_public:
        return entry
    if message.identity is None:
        return evolve(entry, message=evolve(message, body=UNNAMED))
    return evolve(entry, message=evolve(message, sender=message.identity, room=None))


def _text(entry: Entry, now: float, command: str) -> str:
    command = one_line(command, MAX_TEXT)
    quoted = command if command == UNNAMED else f'"{command}"'
    speaker = one_line(entry.message.speaker, MAX_NAME)
    said_at = _local_time(entry.accepted, now)
    what = f"{quoted} ({speaker}, {said_at})"
    if entry.outcome == LAPSED:
        return (
            f"{what} was not run: a restart came before it was confirmed or approved; say it"
            " again to run it"
        )
    return f"{what} was interrupted by a restart; say it again to run it"


def one_line(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 3]}..."


def _local_time(seconds: float, now: float) -> str:
    then, today = time.localtime(seconds), time.localtime(now)
    is_today = then[:3] == today[:3]
    return time.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M", then)
