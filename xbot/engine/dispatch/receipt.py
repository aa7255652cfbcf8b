"""Receipt of a run: whether its answers reached the people, for the outcome in the journal."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from attrs import define

from xbot.model.message import Message

#: Maximum number of answers that are remembered for each place, and of places (LRU): an
#: answer can come back after it was acknowledged.
MAX_EACH, MAX_PLACES = 16, 256


@define(eq=False)
class Receipt:
    """Counts the answers of one run that are under way.

    After :meth:`settle`, ``settled(is_said)`` is called once no answer is under way, and
    once more, with False, when one comes back after that.
    """

    _under_way: int = 0
    _is_said: bool = True
    _is_told: bool = False
    _settled: Callable[[bool], None] | None = None

    def sent(self) -> None:
        """One more answer was given to the outbox."""
        self._under_way += 1

    def got_delivered(self) -> None:
        """One answer arrived."""
        self._under_way -= 1
        self._tell()

    def got_failed(self) -> None:
        """One answer can never arrive."""
        self._under_way -= 1
        self.got_lost()
        self._tell()

    def got_lost(self) -> None:
        """One answer that had arrived came back."""
        was_said, self._is_said = self._is_said, False
        if was_said and self._is_told and self._settled is not None:
            self._settled(False)

    def settle(self, settled: Callable[[bool], None]) -> None:
        """The run is over: call ``settled`` as described above."""
        self._settled = settled
        self._tell()

    def _tell(self) -> None:
        if self._settled is not None and not self._under_way and not self._is_told:
            self._is_told = True
            self._settled(self._is_said)


class Receipts:
    """The receipts of recent answers, by place and message id."""

    def __init__(self) -> None:
        self._recent: OrderedDict[str, OrderedDict[str, Receipt]] = OrderedDict()

    def add(self, answer: Message, receipt: Receipt) -> None:
        """Remember the receipt of ``answer``, which has an id."""
        place = answer.recipient
        recent = self._recent.get(place)
        if recent is None:
            recent = self._recent[place] = OrderedDict()
            if len(self._recent) > MAX_PLACES:
                self._recent.popitem(last=False)
        else:
            self._recent.move_to_end(place)
        recent[answer.payload["id"]] = receipt
        if len(recent) > MAX_EACH:
            recent.popitem(last=False)

    def got_lost(self, answer: Message) -> None:
        """``answer``, or a part of it, came back after it had arrived."""
        recent = self._recent.get(answer.recipient)
        if recent is None:
            return
        id = answer.payload.get("id", "")
        # The outbox derives the ids of parts from that of the whole.
        receipt = recent.get(id) or recent.get(id.rpartition("-")[0])
        if receipt is not None:
            receipt.got_lost()
