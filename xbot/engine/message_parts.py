"""Message splitting: what does not fit into one message is said in a few, and told of as one."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from xbot.model.markup import pages
from xbot.model.message import Message
from xbot.model.size_limit import Measure

#: Nothing is said in more messages. A run says no more of its own, either.
MAX_PARTS = 10

#: What the last of them ends with where something is missing.
MARK = f"[cut after {MAX_PARTS} messages]"

Told = Callable[[], None]


def parts_of(message: Message, measure: Measure) -> tuple[list[Message], int]:
    """What says ``message`` in pieces that fit, and how many characters are left out.

    The first has its id, and the others what is made of it: said again, they are the same.

    :raises ValueError: when hardly anything fits.
    """
    found = [page for page in pages(message.body, measure.most, measure) if page.strip()]
    lost = sum(map(len, found[MAX_PARTS - 1 :]))
    if len(found) > MAX_PARTS:
        room = measure.less(measure.size(f"\n{MARK}"))
        last = pages(found[MAX_PARTS - 1], room.most, room)[0]
        lost -= len(last)
        found[MAX_PARTS - 1 :] = [f"{last}\n{MARK}"]
    else:
        lost = 0
    id = message.payload["id"]
    ids = [id, *(f"{id}-{number}" for number in range(2, len(found) + 1))]
    parts = zip(found, ids, strict=False)
    return [evolve(message, body=body).with_id(id) for body, id in parts], lost


class Whole:
    """Tells what became of ``count`` parts: that the last arrived, or, once, that one did not."""

    def __init__(
        self,
        count: int,
        delivered: Told | None,
        failed: Told | None,
        dropped: Told | None = None,
    ) -> None:
        self._left = count
        self._delivered = delivered
        self._failed = failed
        self._dropped = dropped

    def got_delivered(self) -> None:
        """One arrived."""
        self._left -= 1
        if self._left == 0:
            self._end(self._delivered)

    def got_failed(self) -> None:
        """One never will."""
        self._end(self._failed)

    def got_dropped(self) -> None:
        """One was dropped, with nothing wrong with it."""
        self._end(self._dropped)

    def _end(self, told: Told | None) -> None:
        self._delivered = self._failed = self._dropped = None
        if told is not None:
            told()
