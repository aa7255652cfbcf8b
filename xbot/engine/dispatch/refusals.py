"""Notices about refused messages: the first one at once, the next ones counted in one line."""

from __future__ import annotations

import math
from collections.abc import Callable

from attrs import define
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from xbot.engine.dispatch.interrupted import MAX_NAME, one_line
from xbot.engine.dispatch.person import Reader, name_of, reader_of
from xbot.model.fair_share import domain_of, may_have_more
from xbot.model.message import Message, reply_to

#: Debounce: refused messages that arrive within this many seconds are counted in one line.
GATHER = 2.0

#: Cooldown of these lines, for each reader and cause. What is counted meanwhile is told with
#: the next answer or notice, and not by itself: else two bots could keep each other going.
PERIOD = 60.0

#: Maximum number of counts. The readers of one room, or domain, have a fair share of them.
MAX_COUNTS = 200

#: Seconds after which a count is forgotten, if its sender says nothing more.
FORGET_AFTER = 3600.0

#: Seconds for which a refusal without a known end holds.
MOMENT = 10.0


@define(eq=False, repr=False)
class _Count:
    """Refusals to one reader for one cause. ``number`` of them are not told yet.

    ``message`` is the latest refused one, ``until`` when the next one may be accepted, and
    ``told_at`` when the last line with a number was sent. ``timer`` sends the next one.
    ``is_mixed``: the untold ones are of several senders.
    """

    share: str
    message: Message
    until: float
    number: int = 0
    told_at: float = float("-inf")
    timer: IDelayedCall | None = None
    is_mixed: bool = False


class Refusals:
    """Tells people that messages of theirs were refused, how many, and when to try again.

    The first refusal for a ``cause`` is told at once. Each of the others is counted once, and
    told in a line after :data:`GATHER` seconds. ``say(message)`` sends the lines.
    """

    def __init__(self, clock: IReactorTime, say: Callable[[Message], object]) -> None:
        self._clock = clock
        self._say = say
        self.counts: dict[tuple[Reader, str], _Count] = {}

    def refuse(
        self,
        message: Message,
        cause: str,
        reason: str,
        wait: float | None = None,
        *,
        is_first: bool = False,
    ) -> None:
        """Tell the sender that ``message`` is refused, or count it.

        ``wait`` is the time in seconds until messages are accepted again, None if it is not
        known. ``is_first``: the cause is new, also for other readers.
        """
        now = self._clock.seconds()
        key = reader_of(message), cause
        count = self.counts.get(key)
        if count is not None and now < count.until and not is_first:
            self._count(count, message, now)
            return
        share = message.room or domain_of(message.identity or message.sender)
        is_kept = count is not None or self._has_room(share, now)
        if not (is_kept or is_first):
            return
        text = f"{reason}; {try_again(wait)}."
        if count is not None:
            if count.number:
                text += f" {_refused(count)} before."
            self._stop(count)
        if is_kept:
            told_at = count.told_at if count is not None else float("-inf")
            until = now + (MOMENT if wait is None else wait)
            self.counts[key] = _Count(share, message, until, told_at=told_at)
        self._say(reply_to(message, text))

    def passed(self, message: Message) -> None:
        """Tell the sender of ``message``, which is accepted, what was refused before."""
        now, reader = self._clock.seconds(), reader_of(message)
        for (its_reader, _), count in self.counts.items():
            if its_reader != reader or not count.number or count.timer or now < count.until:
                continue
            if count.is_mixed or name_of(count.message) == name_of(message):
                text, count.number = f"{_refused(count)}.", 0
                self._say(reply_to(message, text))

    def stop(self) -> None:
        """Send no more lines."""
        for count in self.counts.values():
            self._stop(count)
        self.counts.clear()

    def _count(self, count: _Count, message: Message, now: float) -> None:
        is_other = count.number > 0 and name_of(count.message) != name_of(message)
        count.is_mixed = is_other or (count.is_mixed and count.number > 0)
        count.number += 1
        count.message = message
        if count.timer is None and now - count.told_at >= PERIOD:
            count.timer = self._clock.callLater(GATHER, self._tell, count)

    def _tell(self, count: _Count) -> None:
        now = self._clock.seconds()
        text = f"{_refused(count)}; {try_again(count.until - now)}."
        count.timer, count.number, count.told_at = None, 0, now
        self._say(reply_to(count.message, text))

    def _has_room(self, share: str, now: float) -> bool:
        """Whether one more count of ``share`` may be kept; forgets old ones first."""
        for key, old in list(self.counts.items()):
            keep_for = FORGET_AFTER if old.number else PERIOD
            if old.timer is None and now >= old.until + keep_for:
                del self.counts[key]
        own = sum(each.share == share for each in self.counts.values())
        return may_have_more(own, len(self.counts), MAX_COUNTS)

    @staticmethod
    def _stop(count: _Count) -> None:
        if count.timer is not None:
            count.timer.cancel()
            count.timer = None


def try_again(wait: float | None) -> str:
    """When to try again, in words: ``try again in 12 s``."""
    if wait is None:
        return "try again in a moment"
    seconds = math.ceil(wait)
    if seconds <= 0:
        return "try again now"
    if seconds < 120:
        return f"try again in {seconds} s"
    minutes = math.ceil(seconds / 60)
    return f"try again in {minutes} min" if minutes < 120 else f"try again in {minutes / 60:.0f} h"


def _refused(count: _Count) -> str:
    """``5 more were refused``; in a room with the nick of a single sender, not addressed."""
    message = count.message
    is_named = message.is_public and not count.is_mixed
    of = f" from {one_line(message.speaker, MAX_NAME)}" if is_named else ""
    return f"{count.number} more{of} {'was' if count.number == 1 else 'were'} refused"
