"""FakeAdapter: an IAdapter without a chat network; it collects the bot's messages in a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from xbot.chat.interfaces import IAdapter, IReceipts
from xbot.config.settings import RoomSettings
from xbot.model.errors import NotConnected, Unreachable
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.model.size_limit import UNBOUNDED


@implementer(IAdapter)
class FakeAdapter:
    """Joins, sends and delivers at once.

    - ``sent``: all messages that the bot has sent.
    - ``rooms``: the rooms that the bot is in, with its nick there; ``left``: rooms it left.
    - ``people``: the other occupants: (nick, affiliation) by (room, real bare JID).
    - ``problem``: while it is set (to a text), nothing can be sent; see
      :meth:`break_link` and :meth:`mend_link`.
    """

    name = "fake"
    measure = UNBOUNDED

    def __init__(
        self,
        got_message: Callable[[Message], Deferred[None] | None],
        receipts: IReceipts,
        rooms: Iterable[RoomSettings] = (),
    ) -> None:
        self.got_message = got_message
        self.sent: list[Message] = []
        self.rooms = {str(room.jid): room.nick for room in rooms}
        self.left: set[str] = set()
        self.people: dict[tuple[str, str], tuple[str, str]] = {}
        self.problem: str | None = "not started"
        self._receipts = receipts

    def start(self) -> None:
        self.mend_link()

    def stop(self) -> Deferred[None]:
        self.break_link("stopped")
        return succeed(None)

    def send(self, message: Message) -> None:
        recipient = Jid.parse(message.recipient)
        if self.problem is not None:
            raise NotConnected(recipient, self.problem)
        if message.room in self.left:
            raise Unreachable(recipient, "we left the room")
        if message.room is not None and message.room not in self.rooms:
            raise NotConnected(recipient, "not in the room")
        self.sent.append(message)
        self._receipts.got_delivered(message)

    def nick_in(self, room: str) -> str | None:
        return self.rooms.get(room) if self.problem is None else None

    def join(self, room: object, by: str | None = None) -> None:
        assert isinstance(room, RoomSettings)
        self.rooms[str(room.jid)] = room.nick
        self.left.discard(str(room.jid))
        self._receipts.got_ready(str(room.jid))

    def places(self) -> list[str]:
        return list(self.rooms)

    def occupant(self, room: str, person: str) -> tuple[str, str] | None:
        return self.people.get((room, person))

    def affiliation(self, message: Message) -> str:
        return message.affiliation

    def leave(self, room: str) -> None:
        if self.rooms.pop(room, None) is not None:
            self.left.add(room)
            self._receipts.got_ready(room)

    def break_link(self, problem: str = "the connection was lost") -> None:
        """Simulate a lost connection: messages wait in the outbox."""
        self.problem = problem

    def mend_link(self) -> None:
        """Simulate a reconnection: the waiting messages are sent."""
        self.problem = None
        self._receipts.got_ready()
