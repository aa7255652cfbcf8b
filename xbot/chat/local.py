"""LocalAdapter: an IAdapter without a network, for the terminal and the test kit."""

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
class LocalAdapter:
    """Joins at once, and passes each message of the bot to ``take``, which delivers it.

    - ``rooms``: the rooms that the bot is in, with its nick there; ``left``: rooms it left.
    - ``mute``: the rooms in which the bot may not speak, for :meth:`is_mute` only.
    - ``problem``: why nothing can be sent; None while the adapter works.
    """

    name = "local"
    measure = UNBOUNDED

    def __init__(
        self,
        got_message: Callable[[Message], Deferred[None] | None],
        receipts: IReceipts,
        take: Callable[[Message], object],
        rooms: Iterable[RoomSettings] = (),
    ) -> None:
        self.got_message = got_message
        self.rooms = {str(room.jid): room.nick for room in rooms}
        self.left: set[str] = set()
        self.mute: set[str] = set()
        self.problem: str | None = "not started"
        self._receipts = receipts
        self._take = take

    def start(self) -> None:
        self.problem = None
        self._receipts.got_ready()

    def stop(self) -> Deferred[None]:
        self.problem = "stopped"
        return succeed(None)

    def send(self, message: Message) -> None:
        recipient = Jid.parse(message.recipient)
        if self.problem is not None:
            raise NotConnected(recipient, self.problem)
        if message.room in self.left:
            raise Unreachable(recipient, "we left the room")
        if message.room is not None and message.room not in self.rooms:
            raise NotConnected(recipient, "not in the room")
        self._take(message)
        self._receipts.got_delivered(message)

    def nick_in(self, room: str) -> str | None:
        return self.rooms.get(room) if self.problem is None else None

    def is_mute(self, room: str) -> bool:
        return room in self.mute

    def join(self, room: RoomSettings, by: str | None = None) -> None:
        self.rooms[str(room.jid)] = room.nick
        self.left.discard(str(room.jid))
        self._receipts.got_ready(str(room.jid))

    def places(self) -> list[str]:
        return list(self.rooms)

    def occupant(self, room: str, person: str) -> tuple[str, str] | None:
        return None

    def affiliation(self, message: Message) -> str:
        # Nothing changes it between the message and the answer.
        return message.affiliation

    def leave(self, room: str) -> None:
        if self.rooms.pop(room, None) is not None:
            self.left.add(room)
            self._receipts.got_ready(room)
