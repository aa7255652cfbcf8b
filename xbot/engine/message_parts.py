"""Message splitting: send a long text as several messages with one common receipt."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from xbot.model.markup import pages
from xbot.model.message import Message
from xbot.model.size_limit import Measure

#: Maximum number of parts of a message; a run may send as many messages of its own.
MAX_PARTS = 10

#: The end of the last part if the text was cut.
MARK = f"[cut after {MAX_PARTS} messages]"

Callback = Callable[[], None]


def parts_of(message: Message, measure: Measure) -> tuple[list[Message], int]:
    """Split ``message`` into parts that fit; return them, and the number of characters cut off.

    The first part keeps the message's id, and the others derive theirs from it: a second
    split gives the same ids.

    :raises ValueError: when ``measure`` is too small for a page.
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


class PartsReceipt:
    """Joins the receipts of ``count`` parts: delivered after all of them, else failed once."""

    def __init__(
        self,
        count: int,
        delivered: Callback | None,
        failed: Callback | None,
        dropped: Callback | None = None,
    ) -> None:
        self._left = count
        self._delivered = delivered
        self._failed = failed
        self._dropped = dropped

    def got_delivered(self) -> None:
        """One part arrived."""
        self._left -= 1
        if self._left == 0:
            self._end(self._delivered)

    def got_failed(self) -> None:
        """One part can never arrive."""
        self._end(self._failed)

    def got_dropped(self) -> None:
        """One part was dropped, though it could be sent again."""
        self._end(self._dropped)

    def _end(self, told: Callback | None) -> None:
        self._delivered = self._failed = self._dropped = None
        if told is not None:
            told()
