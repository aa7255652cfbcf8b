"""What webhooks have to say: kept durably, then said, and forgotten once it has arrived."""

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
from xbot.webhooks.report import Item

#: What comes for one room within so many seconds is said as one message.
GATHER = 1.0

#: One message has no more texts, and no more characters.
MAX_TEXTS, MAX_LENGTH = 20, 6000

#: So many messages to one room are under way at once.
MAX_UNDER_WAY = 5

#: Seconds until the outbox, which was full, is asked again; and at most, where it dropped what
#: it had taken, again and again.
RETRY, LAST_RETRY = 10.0, 600.0

#: What nobody could be told for so long, in seconds, is no news.
MAX_AGE = 7 * 86400.0

#: The oldest keys are forgotten after so many new ones.
FORGET_AFTER = 1000

#: What the bot cannot say, which is a mistake of ours, is tried so often by one process,
#: and by one more process.
MAX_TRIES = 3

Told = Callable[[], None]

Say = Callable[[Message, Told, Told, Told], bool]
"""Takes a message, and what is called once it arrived, if it cannot be said, or not as things are.

Gives whether it was taken.
"""


class Spool:
    """Keeps texts in the file ``path``, and gives them to ``say`` until they have arrived.

    After a crash all that has not arrived is said again, each message with
    the id that it had: at least once, and recognisable.
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
    ) -> None:
        self._address = address
        self._say = say
        self._reactor = reactor
        self._wall_clock = wall_clock
        self._file = OwnedFile(KIND, path, SpoolFile)
        self._writer = self._file.writer(reactor, in_thread, wall_clock)
        # Per room: what waits, how many messages are under way, and what happens next.
        self._waiting: dict[str, deque[Waiting]] = {}
        self._under_way: dict[str, int] = {}
        self._timers: dict[str, IDelayedCall] = {}
        #: Texts by what became of them: delivered, failed (nobody could say them), stale.
        self.fates = Counter({"delivered": 0, "failed": 0, "stale": 0})
        #: Texts that are to be said.
        self.unsaid = 0
        # By batch: how often it could not be said.
        self._failures: dict[str, int] = {}
        # By batch: how often it was taken, and dropped.
        self._drops: dict[str, int] = {}
        # The batches of processes before us.
        self._old: set[str] = set()
        self._new_keys = 0
        self._telling = Cooldown(reactor)
        self._is_held = False

    @property
    def under_way(self) -> int:
        """How many messages were given to ``say`` and have not arrived."""
        return sum(self._under_way.values())

    @property
    def state(self) -> FileState:
        """Whether the file works now."""
        return self._writer.state

    def open(self, rooms: Collection[str]) -> Deferred[None]:
        """Fires once it was tried, even in vain. What an earlier process left is said again.

        Unless it was for none of these ``rooms``, or is too old.
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
        """Fires, once it is durable, with whether there was any news in ``items``.

        :raises SpoolUnavailable: (by the Deferred) when it cannot be kept.
        :raises TooMuchWaits: (by the Deferred) when no more is taken for any of the rooms.
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

    def hold(self) -> None:
        """Say no more; what arrives is still noted."""
        self._is_held = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def close(self) -> Deferred[None]:
        """Say no more, and let go of the file once all is noted."""
        self.hold()
        return self._writer.close()

    def _say_again(self, rooms: Collection[str]) -> None:
        # A file that fails says so itself; this waits for it.
        self._writer.do(lambda file: file.forget(), retry=True).addErrback(self._got_problem)
        left = self._writer.do(lambda file: file.waiting(), retry=True)
        left.addCallback(self._got_left, rooms).addErrback(self._got_problem)

    def _got_left(self, left: list[Waiting], rooms: Collection[str]) -> None:
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
        kept, full = done
        for room in full:
            # The others must not miss it for a room that lets nothing through.
            if self._telling.allows(f"{source} {room}"):
                self._log.warn(
                    "webhook {webhook}: too much waits to be said in {room}; told elsewhere only",
                    webhook=source,
                    room=room,
                )
        self._new_keys += keys
        if self._new_keys >= FORGET_AFTER:
            self._new_keys = 0
            self._writer.do(lambda file: file.forget()).addErrback(self._got_problem)
        self.unsaid += len(kept)
        for each in kept:
            self._waiting.setdefault(each.room, deque()).append(each)
            self._later(each.room, GATHER)
        return bool(kept)

    def _later(self, room: str, seconds: float) -> None:
        if room not in self._timers and not self._is_held:
            self._timers[room] = self._reactor.callLater(seconds, self._gathered, room)

    def _gathered(self, room: str) -> None:
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
        # If its id cannot be kept, it is said all the same.
        noted.addErrback(self._got_problem)
        noted.addCallback(lambda _: self._give(texts, batch))

    def _hand_over(self, texts: list[Waiting], batch: str) -> None:
        room = texts[0].room
        self._old.add(batch)
        self._under_way[room] = self._under_way.get(room, 0) + 1
        self._give(texts, batch)

    def _give(self, texts: list[Waiting], batch: str) -> None:
        if self._is_held:
            return
        room = texts[0].room
        message = Message(
            self._address,
            room,
            "\n".join(each.body for each in texts),
            {"type": "groupchat", "id": batch},
            room=room,
        )
        if not self._say(
            message,
            lambda: self._got_delivered(texts, batch),
            lambda: self._got_failed(texts, batch),
            lambda: self._got_dropped(texts, batch),
        ):
            self._give_later(texts, batch)

    def _give_later(self, texts: list[Waiting], batch: str, wait: float = RETRY) -> None:
        if not self._is_held:
            self._timers[batch] = self._reactor.callLater(wait, self._give_again, texts, batch)

    def _give_again(self, texts: list[Waiting], batch: str) -> None:
        del self._timers[batch]
        self._give(texts, batch)

    def _got_delivered(self, texts: list[Waiting], batch: str) -> None:
        self._remove([each.number for each in texts])
        self._end(texts, batch, "delivered")

    def _got_failed(self, texts: list[Waiting], batch: str) -> None:
        self._failures[batch] = self._failures.get(batch, 0) + 1
        if self._failures[batch] < MAX_TRIES:
            self._give_later(texts, batch)
            return
        room, is_old = texts[0].room, batch in self._old
        # Of the first process they stay in the file, and in nobody's way.
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
        """It is a matter of the room, and may pass: whoever put us out may let us in again."""
        count = self._drops[batch] = self._drops.get(batch, 0) + 1
        self._give_later(texts, batch, min(RETRY * 2 ** min(count - 1, 10), LAST_RETRY))

    def _end(self, texts: list[Waiting], batch: str, fate: str) -> None:
        """A message is not under way any more; another one may be."""
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
