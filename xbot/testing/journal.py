"""MemoryJournal: an IJournal in memory with simulated disk errors and delays."""

from __future__ import annotations

from pathlib import Path

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from xbot.model.file_state import FileState, FileUnavailable
from xbot.model.journal_entry import INTERRUPTED, LAPSED, WAITING, Entry, digest, is_unsaid, kept
from xbot.model.message import Message
from xbot.state.interfaces import IJournal

PATH = Path("journal.sqlite")

#: Outcomes after a restart of entries that had not ended.
_AFTER = {None: INTERRUPTED, WAITING: LAPSED}


@implementer(IJournal)
class MemoryJournal:
    """Behaves like :class:`xbot.state.journal.journal.Journal`, at once unless ``is_slow``.

    Set ``problem`` to the text of a disk error to make writes fail; None lets it
    work. While ``is_slow``, no Deferred of :meth:`accept` fires until
    :meth:`catch_up`. :meth:`restarted` simulates a restart, clean or not.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self.is_slow = False
        self.entries: dict[int, Entry] = {}
        self.now = 0.0
        self._numbers: dict[tuple[bytes, str], int] = {}
        self._told: set[int] = set()
        self._before = 0
        self._answers: list[tuple[Deferred[int | None], int | None]] = []

    @property
    def state(self) -> FileState:
        return FileState(self.problem, self.now)

    def open(self) -> Deferred[None]:
        return succeed(None)

    def close(self) -> Deferred[None]:
        return succeed(None)

    def change(self, keep: float) -> None:
        """Do nothing: this journal keeps everything."""

    def accept(
        self, message: Message, responder: str, outcome: str | None = None
    ) -> Deferred[int | None]:
        if self.problem is not None:
            return fail(FileUnavailable(PATH, self.problem))
        number = self._add(message, responder, outcome)
        answer: Deferred[int | None] = Deferred()
        self._answers.append((answer, number))
        if not self.is_slow:
            self.catch_up()
        return answer

    def _add(
        self, message: Message, responder: str, outcome: str | None, ended: float | None = None
    ) -> int | None:
        """Add an entry, and return its number; None for a duplicate."""
        assert message.key is not None
        key = (digest(message.key), responder)
        known = self._numbers.get(key)
        if known is not None:
            age = self.now - self.entries[known].accepted
            if message.key_lasts is None or age <= message.key_lasts:
                return None
        number = self._numbers[key] = len(self.entries) + 1
        self.entries[number] = Entry(number, kept(message), responder, self.now, ended, outcome)
        return number

    def catch_up(self) -> None:
        """Fire all Deferreds that wait."""
        answers, self._answers = self._answers, []
        for deferred, number in answers:
            deferred.callback(number)

    def note(self, message: Message, responder: str, outcome: str) -> Deferred[None]:
        if self.problem is not None:
            return fail(FileUnavailable(PATH, self.problem))
        self._add(message, responder, outcome, self.now)
        return succeed(None)

    def agree(self, number: int) -> Deferred[None]:
        if self.problem is not None:
            return fail(FileUnavailable(PATH, self.problem))
        entry = self.entries[number]
        if entry.outcome == WAITING:
            self.entries[number] = evolve(entry, outcome=None)
        return succeed(None)

    def finish(self, number: int, outcome: str) -> Deferred[None]:
        entry = self.entries[number]
        if entry.outcome in (None, WAITING) or is_unsaid(outcome):
            self.entries[number] = evolve(entry, outcome=outcome, ended=self.now)
        return succeed(None)

    def interrupted(self) -> Deferred[list[Entry]]:
        return succeed(
            [
                entry
                for entry in self.entries.values()
                if entry.outcome in (INTERRUPTED, LAPSED)
                and entry.number <= self._before
                and entry.number not in self._told
            ]
        )

    def reported(self, number: int) -> Deferred[None]:
        self._told.add(number)
        return succeed(None)

    def recent(self, limit: int) -> Deferred[list[Entry]]:
        return succeed(list(self.entries.values())[-limit:])

    def restarted(self) -> MemoryJournal:
        """A new journal with the same entries, as the next process finds it."""
        again = MemoryJournal()
        again.now = self.now
        again._numbers = dict(self._numbers)
        again._told = set(self._told)
        again._before = len(self.entries)
        again.entries = {
            number: evolve(entry, outcome=_AFTER[entry.outcome], ended=self.now)
            if entry.outcome in _AFTER
            else entry
            for number, entry in self.entries.items()
        }
        return again
