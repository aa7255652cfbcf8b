"""ShellAdapter: IAdapter for a terminal, with one user who sees the bot's messages to all rooms."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import asdict, frozen
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from xbot.chat.interfaces import IAdapter, IReceipts
from xbot.config.settings import RoomSettings
from xbot.model.errors import NotConnected, Unreachable
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.model.size_limit import UNBOUNDED
from xbot.model.speech import message_of

#: Default address of the user.
YOU = "you@localhost"


@frozen
class You:
    """The user at the terminal, in a direct chat with the bot or in ``room``."""

    sender: str = YOU
    room: str | None = None
    nick: str | None = None
    affiliation: str = "none"


@implementer(IAdapter)
class ShellAdapter:
    """Calls ``show(message)`` for each message of the bot, and passes on the lines of ``you``.

    ``address`` is the bot's JID. The bot is in ``rooms``, and under ``nick`` in the
    user's room, if ``rooms`` does not contain it.
    """

    name = "shell"
    measure = UNBOUNDED

    def __init__(
        self,
        got_message: Callable[[Message], Deferred[None] | None],
        receipts: IReceipts,
        show: Callable[[Message], object],
        *,
        you: You,
        address: str,
        nick: str,
        rooms: Iterable[RoomSettings] = (),
    ) -> None:
        self.you = you
        self._got_message = got_message
        self._receipts = receipts
        self._show = show
        self._address = address
        self._is_started = False
        self._left: set[str] = set()
        self._rooms = {str(room.jid): room.nick for room in rooms}
        if you.room is not None:
            self._rooms.setdefault(str(Jid.parse(you.room)), nick)

    def start(self) -> None:
        self._is_started = True
        self._receipts.got_ready()

    def stop(self) -> Deferred[None]:
        self._is_started = False
        return succeed(None)

    def say(self, text: str) -> Deferred[None] | None:
        """Pass ``text`` from the user to the bot; the result, if any, fires once it is routed."""
        return self._got_message(message_of(text, self._address, **asdict(self.you)))

    def send(self, message: Message) -> None:
        """Show ``message``, whatever its recipient: the user hears everything.

        :raises NotConnected: when the shell is not started, or the bot not in the room.
        :raises Unreachable: when the bot left the room.
        """
        recipient = Jid.parse(message.recipient)
        if not self._is_started:
            raise NotConnected(recipient, "the shell is closed")
        if message.room is not None and message.room not in self._rooms:
            if message.room in self._left:
                raise Unreachable(recipient, "we left the room")
            raise NotConnected(recipient, "not in the room")
        self._show(message)
        self._receipts.got_delivered(message)

    def nick_in(self, room: str) -> str | None:
        """The bot's nick in ``room`` (a bare JID), or None when it is not in it."""
        return self._rooms.get(room) if self._is_started else None

    def join(self, room: object, by: str | None = None) -> None:
        """Enter this room."""
        assert isinstance(room, RoomSettings)
        self._rooms[str(room.jid)] = room.nick
        self._left.discard(str(room.jid))
        if self._is_started:
            self._receipts.got_ready(str(room.jid))

    def places(self) -> list[str]:
        """The rooms that the bot is in (bare JIDs)."""
        return list(self._rooms)

    def occupant(self, room: str, person: str) -> tuple[str, str] | None:
        """Nick and affiliation of the user in their room; None for other persons and rooms."""
        you = self.you
        if you.room is None or room != str(Jid.parse(you.room)) or person != you.sender:
            return None
        return you.nick or Jid.parse(you.sender).local or you.sender, you.affiliation

    def affiliation(self, message: Message) -> str:
        """The user's affiliation, as the message says: at a terminal it never changes."""
        return message.affiliation

    def leave(self, room: str) -> None:
        """Leave ``room`` (a bare JID)."""
        if self._rooms.pop(room, None) is not None:
            self._left.add(room)
            self._receipts.got_ready(room)
