"""Notices to senders about commands that a restart interrupted."""

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
"""Sends a message; its three callbacks are for delivered, undeliverable, and dropped."""

#: Stands for a private command whose sender's real address is not known: another person may
#: have the nick now.
UNNAMED = "what you asked in private"

#: Maximum number of commands that are quoted per place; the others are only counted.
MAX_NAMED = 5

#: Maximum length of a quoted command and of a nick, in characters.
MAX_TEXT = 100
MAX_NAME = 50


class Report(NamedTuple):
    """A notice to send, and the journal entries that it reports."""

    message: Message
    entries: tuple[Entry, ...]


def reports(
    entries: Iterable[Entry], now: float, command_of: Callable[[Message], str]
) -> Iterator[Report]:
    """The notices about ``entries``, grouped by the place where the command was said.

    ``command_of`` gives the part of a message that addresses the bot. Times are local, and
    have a date unless it is that of ``now`` (seconds since 1970).
    """
    places: dict[tuple[str, bool], list[Entry]] = {}
    for entry in map(_readdressed, entries):
        # An empty reply: its recipient is the place.
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
    """Send the notices at least once: the next start repeats any that is not marked as reported.

    Fires when ``deliver`` has taken all of them; never fails.
    """

    def got(entries: list[Entry]) -> None:
        for report in reports(entries, now, command_of):
            # Mark as reported only when delivered: if the process dies before, the next one
            # reports again. An undeliverable notice is marked, too: the next process could
            # not deliver it either. A dropped one is left to the next process.
            told = partial(accepting.got_reported, report.entries)
            deliver(report.message, told, told, _leave_to_next)

    return accepting.interrupted().addCallback(got).addErrback(accepting.got_problem)


def _leave_to_next() -> None:
    """The notice was dropped: the entry stays unreported, and the next process reports it."""


def _report(entry: Entry, text: str) -> Message:
    # The journal stores no occupants. So a private notice to a nick quotes no command.
    return evolve(reply_to(entry.message, text), addressee=None)


def _readdressed(entry: Entry) -> Entry:
    """Readdress a private message through a room to the person's real address, if known.

    Else the command is replaced by :data:`UNNAMED`: another person may have the nick now,
    and must not read it.
    """
    message = entry.message
    if message.room is None or message.is_public:
        return entry
    if message.identity is None:
        return evolve(entry, message=evolve(message, body=UNNAMED))
    return evolve(entry, message=evolve(message, sender=message.identity, room=None))


def _text(entry: Entry, now: float, command: str) -> str:
    """The notice about one entry, as one line."""
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
    return (
        f"{what} was interrupted by a restart, or its answer was lost; say it again to run it again"
    )


def one_line(text: str, length: int) -> str:
    """``text`` on one line, cut to ``length`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 3]}..."


def quoted(command: str) -> str:
    """``command`` in quotes, on one line: without them another bot might obey it."""
    return f'"{one_line(command, MAX_TEXT)}"'


def _local_time(seconds: float, now: float) -> str:
    then, today = time.localtime(seconds), time.localtime(now)
    is_today = then[:3] == today[:3]
    return time.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M", then)
