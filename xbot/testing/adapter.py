"""FakeAdapter: an IAdapter without a chat network; it collects the bot's messages in a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred

from xbot.chat.interfaces import IReceipts
from xbot.chat.local import LocalAdapter
from xbot.config.settings import RoomSettings
from xbot.model.message import Message


class FakeAdapter(LocalAdapter):
    """Joins, sends and delivers at once.

    - ``sent``: all messages that the bot has sent.
    - ``people``: the other occupants: (nick, affiliation) by (room, real bare JID).
    - ``problem``: while it is set (to a text), nothing can be sent; see
      :meth:`break_link` and :meth:`mend_link`.
    """

    name = "fake"

    def __init__(
        self,
        got_message: Callable[[Message], Deferred[None] | None],
        receipts: IReceipts,
        rooms: Iterable[RoomSettings] = (),
    ) -> None:
        self.sent: list[Message] = []
        super().__init__(got_message, receipts, self.sent.append, rooms)
        self.people: dict[tuple[str, str], tuple[str, str]] = {}

    def occupant(self, room: str, person: str) -> tuple[str, str] | None:
        return self.people.get((room, person))

    def break_link(self, problem: str = "the connection was lost") -> None:
        """Simulate a lost connection: messages wait in the outbox."""
        self.problem = problem

    def mend_link(self) -> None:
        """Simulate a reconnection: the waiting messages are sent."""
        self.start()
