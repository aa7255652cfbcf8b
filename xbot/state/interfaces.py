"""IJournal and IBrain: the interfaces of the journal and the brain (zope.interface)."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from xbot.model.journal_entry import Entry
from xbot.model.message import Message


class IJournal(Interface):
    """Durable record of the commands that were accepted to run, and their outcomes."""

    state = Attribute("Whether it works now: a :class:`xbot.model.file_state.FileState`.")

    def open() -> Deferred[None]:
        """Open the file. Fires after the first try; ``state`` tells whether it succeeded.

        Temporary failures are retried.

        :raises xbot.model.file_state.UnusableFile: (by the Deferred) when retrying
            cannot help.
        """

    def change(keep: float) -> None:
        """Set how long entries are kept, in seconds."""

    def accept(
        message: Message, responder: str, outcome: str | None = None
    ) -> Deferred[int | None]:
        """Journal a command. Fires, once durable, with its number; with None for a duplicate.

        Duplicates have the same message ``key``, which must not be None, and responder. An
        entry older than the message's ``key_lasts`` is no duplicate.
        With the ``outcome`` ``waiting`` the command must not run before :meth:`agree`.

        :raises xbot.model.file_state.FileUnavailable: (by the Deferred) when it must not run.
        """

    def agree(number: int) -> Deferred[None]:
        """Allow a waiting command to run. Fires once that is durable; run it only then.

        :raises xbot.model.file_state.FileUnavailable: (by the Deferred) when it must not run.
        """

    def note(message: Message, responder: str, outcome: str) -> Deferred[None]:
        """Record a command that did not run; ``outcome`` says why. Fires once durable."""

    def finish(number: int, outcome: str) -> Deferred[None]:
        """Record the outcome of an entry. Idempotent: the first outcome stays.

        Waits while the file fails; fires once durable.
        Only ``unsaid`` replaces an earlier one: an answer came back after it had arrived.
        """

    def interrupted() -> Deferred[list[Entry]]:
        """Entries that an earlier process did not finish or not begin, and that are not reported.

        See :meth:`reported`. Waits while the file fails.
        """

    def reported(number: int) -> Deferred[None]:
        """Mark an interrupted entry as reported to its sender."""

    def recent(limit: int) -> Deferred[list[Entry]]:
        """The newest ``limit`` entries, oldest first."""

    def close() -> Deferred[None]:
        """Write what is pending and close. Fires when that is done, or after a time-out."""


class IBrain(Interface):
    """Key-value storage for responders, in memory. Only :meth:`flushed` waits for the disk."""

    state = Attribute("Whether it is saved now: a :class:`xbot.model.file_state.FileState`.")

    def namespace(name: str) -> MutableMapping[str, Any]:
        """The namespace ``name``, a :class:`xbot.state.brain.memory.Memory`. Thread-safe.

        Get it at any time; use it while the brain is open.
        """

    def open() -> Deferred[None]:
        """Read the file. Fires after the first try; ``state`` tells whether it succeeded.

        Temporary failures are retried.

        :raises xbot.model.file_state.UnusableFile: (by the Deferred) when retrying cannot help.
        """

    def flushed() -> Deferred[None]:
        """Fires once all changes made before this call are durable; at once if they are.

        :raises xbot.model.file_state.FileUnavailable: (by the Deferred) when saving fails.
        """

    def close() -> Deferred[None]:
        """Save unsaved changes and close. Fires when that is done, or after a time-out."""
