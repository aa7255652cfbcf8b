"""Spool of webhook texts: a durable FIFO queue per room, with batching and a retry policy.

At-least-once delivery: a text is removed from the file only once it was delivered.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from xbot.model.cooldown import Cooldown
from xbot.model.file_state import FileState
from xbot.model.message import Message
from xbot.model.random_ids import new_ident
from xbot.state.sqlite.one_thread import RunsInOrder
from xbot.state.sqlite.owned import OwnedFile
from xbot.webhooks.file import KIND, SpoolFile, TooMuchWaits, Waiting
from xbot.webhooks.proof import Signed
from xbot.webhooks.report import Item

#: Seconds for which texts to one room are gathered into one message (batching).
GATHER = 1.0

#: Maximum number of texts in one message, and of their characters.
MAX_TEXTS, MAX_LENGTH = 20, 6000

#: Maximum number of messages to one room that are in flight at once.
MAX_UNDER_WAY = 5

#: Retry policy, in seconds: fixed delay when the outbox is full; first and maximum delay of the
#: exponential back-off when it dropped a message that it had taken.
RETRY, LAST_RETRY = 10.0, 600.0

#: Maximum age of a text from an earlier process, in seconds; older texts are stale, and dropped.
MAX_AGE = 7 * 86400.0

#: The oldest deduplication keys are pruned after this number of new keys.
FORGET_AFTER = 1000

#: Maximum number of tries for a message that the adapter cannot send, which is a bug in xbot: in
#: this process, and again in the next one. Then it is dropped.
MAX_TRIES = 3

Told = Callable[[], None]

Say = Callable[[Message, Told, Told, Told], bool]
"""Sends a message; its three callbacks are for delivered, cannot be sent, and dropped for now.

Returns False if the outbox is full: then none of them is called.
"""


class Spool:
    """Keeps texts in the SQLite file ``path``, and passes them to ``say`` until delivered.

    ``address`` is the bot's own. A "room" is a person if ``is_person(room)``. After a crash
    the next process sends every undelivered message again, under the same message id, so that
    duplicates can be recognised.
    """

    _log = Logger("xbot.webhooks")

    def __init__(
        self,
        path: Path,
        address: str,
        say: Say,
        reactor: Any,
        *,
        wall_clock: Callable[[], float] = time.time,
        in_thread: RunsInOrder | None = None,
        is_person: Callable[[str], bool] = lambda place: False,
    ) -> None:
        self._address = address
        self._is_person = is_person
        self._say = say
        self._reactor = reactor
        self._wall_clock = wall_clock
        self._file = OwnedFile(KIND, path, SpoolFile)
        self._writer = self._file.writer(reactor, in_thread, wall_clock)
        # By room: waiting texts, number of messages in flight, and the next timer. The timer
        # of a retry is stored by batch.
        self._waiting: dict[str, deque[Waiting]] = {}
        self._under_way: dict[str, int] = {}
        self._timers: dict[str, IDelayedCall] = {}
        #: Number of texts by outcome: delivered, failed (could not be sent), stale (too old).
        self.fates = Counter({"delivered": 0, "failed": 0, "stale": 0})
        #: Number of texts that are not delivered yet.
        self.unsaid = 0
        # Number of failures, by batch.
        self._failures: dict[str, int] = {}
        # Number of times that the outbox dropped it, by batch.
        self._drops: dict[str, int] = {}
        # Batches of earlier processes.
        self._old: set[str] = set()
        self._new_keys = 0
        self._telling = Cooldown(reactor)
        self._is_held = False

    @property
    def under_way(self) -> int:
        """Number of messages in flight: passed to ``say``, and not delivered."""
        return sum(self._under_way.values())

    @property
    def state(self) -> FileState:
        """Whether the file can be written now."""
        return self._writer.state

    def open(self, rooms: Collection[str]) -> Deferred[None]:
        """Open the file. Fires after the first try, even if that failed; retries by itself.

        Undelivered texts of an earlier process are sent again, unless they are stale, or for
        none of these ``rooms``.
        """
        opened = self._writer.open()
        return opened.addCallback(lambda _: self._say_again(frozenset(rooms)))

    def keep(
        self,
        source: str,
        rooms: Sequence[str],
        items: Sequence[Item],
        said: Callable[[Sequence[Item]], str],
        window: float,
    ) -> Deferred[bool]:
        """Deduplicate ``items`` and store a text for each room; then send these.

        ``source`` is the webhook's name, ``said(items)`` makes the text, and ``window`` is
        the time of deduplication in seconds, 0 for none. Fires, once durable, with whether
        any item was new.

        :raises FileUnavailable: (by the Deferred) when the file cannot be written.
        :raises TooMuchWaits: (by the Deferred) when the queues of all these rooms are full.
        """
        now = self._wall_clock()

        def keep(file: SpoolFile) -> tuple[list[Waiting], list[str]]:
            kept, full = [], []
            for room in rooms:
                try:
                    kept.append(file.keep(source, room, items, said, now, window))
                except TooMuchWaits:
                    full.append(room)
                    if len(full) == len(rooms):
                        raise
            return [each for each in kept if each is not None], full

        return self._writer.do(keep).addCallback(self._got_kept, source, len(items) * len(rooms))

    def binds(self, signed: Signed) -> Deferred[bool]:
        """Bind a signed body to its event; fires, once durable, with False if it has another.

        :raises FileUnavailable: (by the Deferred) when the file cannot be written.
        """
        now = self._wall_clock()
        self._count_keys(1)
        return self._writer.do(lambda file: file.binds(signed.body, signed.event, now))

    def hold(self) -> None:
        """Stop sending; deliveries are still recorded. Idempotent."""
        self._is_held = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def close(self) -> Deferred[None]:
        """Stop sending, write what is queued, and close the file; fires when done."""
        self.hold()
        return self._writer.close()

    def _say_again(self, rooms: Collection[str]) -> None:
        # The writer reports a failing file itself; with retry=True these calls wait for it.
        self._writer.do(lambda file: file.forget(), retry=True).addErrback(self._got_problem)
        left = self._writer.do(lambda file: file.waiting(), retry=True)
        left.addCallback(self._got_left, rooms).addErrback(self._got_problem)

    def _got_left(self, left: list[Waiting], rooms: Collection[str]) -> None:
        """Drop stale texts of earlier processes; resend their batches, and queue unsent texts."""
        oldest = self._wall_clock() - MAX_AGE
        stale = [each for each in left if each.room not in rooms or each.accepted < oldest]
        if stale:
            self._log.warn(
                "{count} texts of webhooks are not said any more: they are too old, or no webhook"
                " says anything in {rooms}",
                count=len(stale),
                rooms=", ".join(sorted({each.room for each in stale})),
            )
            self._remove([each.number for each in stale])
            self.fates["stale"] += len(stale)
        self.unsaid += len(left) - len(stale)
        gone = {each.number for each in stale}
        batches: dict[str, list[Waiting]] = {}
        for each in left:
            if each.number in gone:
                continue
            if each.batch is None:
                self._waiting.setdefault(each.room, deque()).append(each)
            else:
                batches.setdefault(each.batch, []).append(each)
        for batch, texts in batches.items():
            self._hand_over(texts, batch)
        for room in self._waiting:
            self._later(room, GATHER)

    def _got_kept(self, done: tuple[list[Waiting], list[str]], source: str, keys: int) -> bool:
        """Queue texts that are durable now; log full queues, with a cooldown."""
        kept, full = done
        for room in full:
            # One full queue must not keep the text from the other rooms.
            if self._telling.allows(f"{source} {room}"):
                self._log.warn(
                    "webhook {webhook}: too much waits to be said in {room}; told elsewhere only",
                    webhook=source,
                    room=room,
                )
        self._count_keys(keys)
        self.unsaid += len(kept)
        for each in kept:
            self._waiting.setdefault(each.room, deque()).append(each)
            self._later(each.room, GATHER)
        return bool(kept)

    def _count_keys(self, keys: int) -> None:
        """Count new keys for deduplication; prune the oldest from time to time."""
        self._new_keys += keys
        if self._new_keys >= FORGET_AFTER:
            self._new_keys = 0
            self._writer.do(lambda file: file.forget()).addErrback(self._got_problem)

    def _later(self, room: str, seconds: float) -> None:
        if room not in self._timers and not self._is_held:
            self._timers[room] = self._reactor.callLater(seconds, self._gathered, room)

    def _gathered(self, room: str) -> None:
        """Take the next texts of a room from its queue, and send them as one message (a batch)."""
        del self._timers[room]
        waiting = self._waiting.get(room)
        if not waiting or self._under_way.get(room, 0) >= MAX_UNDER_WAY:
            return
        texts = [waiting.popleft()]
        length = len(texts[0].body)
        while waiting and len(texts) < MAX_TEXTS:
            length += 1 + len(waiting[0].body)
            if length > MAX_LENGTH:
                break
            texts.append(waiting.popleft())
        if waiting:
            self._later(room, GATHER)
        else:
            del self._waiting[room]
        batch = f"webhook-{new_ident()}"
        self._under_way[room] = self._under_way.get(room, 0) + 1
        numbers = [each.number for each in texts]
        noted = self._writer.do(lambda file: file.say(numbers, batch))
        # Send it even if its id could not be stored: at worst a crash repeats it under another id.
        noted.addErrback(self._got_problem)
        noted.addCallback(lambda _: self._give(texts, batch))

    def _hand_over(self, texts: list[Waiting], batch: str) -> None:
        """Send a batch of an earlier process again, under its old id."""
        room = texts[0].room
        self._old.add(batch)
        self._under_way[room] = self._under_way.get(room, 0) + 1
        self._give(texts, batch)

    def _give(self, texts: list[Waiting], batch: str) -> None:
        """Pass a batch to ``say``; retry later if the outbox is full."""
        if self._is_held:
            return
        room = texts[0].room
        is_person = self._is_person(room)
        message = Message(
            self._address,
            room,
            "\n".join(each.body for each in texts),
            {"type": "chat" if is_person else "groupchat", "id": batch},
            room=None if is_person else room,
        )
        if not self._say(
            message,
            lambda: self._got_delivered(texts, batch),
            lambda: self._got_failed(texts, batch),
            lambda: self._got_dropped(texts, batch),
        ):
            self._give_later(texts, batch)

    def _give_later(self, texts: list[Waiting], batch: str, wait: float = RETRY) -> None:
        """Retry the batch after ``wait`` seconds."""
        if not self._is_held:
            self._timers[batch] = self._reactor.callLater(wait, self._give_again, texts, batch)

    def _give_again(self, texts: list[Waiting], batch: str) -> None:
        del self._timers[batch]
        self._give(texts, batch)

    def _got_delivered(self, texts: list[Waiting], batch: str) -> None:
        self._remove([each.number for each in texts])
        self._end(texts, batch, "delivered")

    def _got_failed(self, texts: list[Waiting], batch: str) -> None:
        """Retry a batch that cannot be sent, up to MAX_TRIES times; then give up."""
        self._failures[batch] = self._failures.get(batch, 0) + 1
        if self._failures[batch] < MAX_TRIES:
            self._give_later(texts, batch)
            return
        room, is_old = texts[0].room, batch in self._old
        # After the first process gave up, the texts stay in the file for the next one, but no
        # longer block the queue.
        self._log.error(
            "{count} texts of webhooks cannot be said in {room}; {consequence}",
            count=len(texts),
            room=room,
            consequence="they are dropped" if is_old else "the next start tries again",
        )
        if is_old:
            self._remove([each.number for each in texts])
        self._end(texts, batch, "failed")

    def _got_dropped(self, texts: list[Waiting], batch: str) -> None:
        """Retry with exponential back-off: the room refused us, and may let us in again."""
        count = self._drops[batch] = self._drops.get(batch, 0) + 1
        self._give_later(texts, batch, min(RETRY * 2 ** min(count - 1, 10), LAST_RETRY))

    def _end(self, texts: list[Waiting], batch: str, fate: str) -> None:
        """Count the outcome of a message that was in flight; the next one may be sent."""
        room = texts[0].room
        self.fates[fate] += len(texts)
        self.unsaid -= len(texts)
        self._failures.pop(batch, None)
        self._drops.pop(batch, None)
        self._old.discard(batch)
        self._under_way[room] -= 1
        if not self._under_way[room]:
            del self._under_way[room]
        if room in self._waiting:
            self._later(room, GATHER)

    def _remove(self, numbers: Collection[int]) -> None:
        removed = self._writer.do(lambda file: file.remove(numbers), retry=True)
        removed.addErrback(self._got_problem)

    def _got_problem(self, failure: Failure) -> None:
        self._log.warn(
            "what webhooks said is not noted: {reason}", reason=failure.getErrorMessage()
        )
