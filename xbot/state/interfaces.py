"""Contracts of the journal and the brain (zope.interface)."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from xbot.model.journal_entry import Entry
from xbot.model.message import Message


class IJournal(Interface):
    """What was accepted to run, durably, and what came of it."""

    state = Attribute("Whether it works now: a :class:`xbot.model.file_state.FileState`.")

    def open() -> Deferred[None]:
        """Fires once it was tried; fails when only a person can help."""

    def change(keep: float) -> None:
        """From now on entries are kept for so many seconds."""

    def accept(
        message: Message, responder: str, outcome: str | None = None
    ) -> Deferred[int | None]:
        """The new entry's number, once it is durable; None for what was accepted before.

        It goes by the message's ``key``, which is not None, and the responder.
        With the ``outcome`` ``waiting`` it must not run before :meth:`agree`.

        :raises xbot.model.journal_entry.JournalUnavailable: (by the Deferred) when it must not run.
        """

    def agree(number: int) -> Deferred[None]:
        """What waited may run, once this fires.

        :raises xbot.model.journal_entry.JournalUnavailable: (by the Deferred) when it must not run.
        """

    def note(message: Message, responder: str, outcome: str) -> Deferred[None]:
        """Keep, for whoever reads the journal, what did not run and why."""

    def finish(number: int, outcome: str) -> Deferred[None]:
        """Note what came of an entry. Its first outcome counts."""

    def interrupted() -> Deferred[list[Entry]]:
        """What an earlier process did not finish, or not begin, and nobody was told of yet."""

    def reported(number: int) -> Deferred[None]:
        """Somebody was told that this entry was interrupted."""

    def recent(limit: int) -> Deferred[list[Entry]]:
        """The newest ``limit`` entries, the newest last."""

    def close() -> Deferred[None]:
        """Write what waits; fires when that is done."""


class IBrain(Interface):
    """What responders remember. Only :meth:`flushed` waits for a disk."""

    state = Attribute("Whether it is saved now: a :class:`xbot.model.file_state.FileState`.")

    def namespace(name: str) -> MutableMapping[str, Any]:
        """The memory of this name, a :class:`xbot.state.brain.memory.Memory`, for any thread."""

    def open() -> Deferred[None]:
        """Fires once it was tried; fails when only a person can help."""

    def flushed() -> Deferred[None]:
        """Fires once all that was remembered before is durable: at once if it is.

        :raises xbot.state.brain.errors.BrainUnavailable: (by the Deferred) when it cannot be now.
        """

    def close() -> Deferred[None]:
        """Save what is not saved; fires when that is done."""
