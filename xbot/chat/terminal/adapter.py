"""ShellAdapter: IAdapter for a terminal, whose user speaks as one person after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import asdict, frozen
from twisted.internet.defer import Deferred

from xbot.chat.interfaces import IReceipts
from xbot.chat.local import LocalAdapter
from xbot.config.settings import RoomSettings
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.model.speech import message_of

#: Default address of the user.
YOU = "you@localhost"

#: Maximum number of people as whom the user speaks.
MAX_PEOPLE = 100


@frozen
class You:
    """The user at the terminal, in a direct chat with the bot or in ``room``."""

    sender: str = YOU
    room: str | None = None
    nick: str | None = None
    affiliation: str = "none"


class ShellAdapter(LocalAdapter):
    """Calls ``show(message)`` for each message of the bot, and passes on the lines of ``you``.

    The user sees the bot's messages to everyone. ``address`` is the bot's JID. The bot is in
    ``rooms``, and under ``nick`` in the user's room, if ``rooms`` does not contain it.
    """

    name = "shell"

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
        super().__init__(got_message, receipts, show, rooms)
        self.you = you
        self._people = {_bare(you): you}
        self._address = address
        if you.room is not None:
            self.rooms.setdefault(str(Jid.parse(you.room)), nick)

    def say(self, text: str) -> Deferred[None] | None:
        """Pass ``text`` from the user to the bot; the result, if any, fires once it is routed."""
        return self.got_message(message_of(text, self._address, **asdict(self.you)))

    def become(self, jid: Jid) -> None:
        """Speak as the person with this bare address, in the same place, from now on.

        :raises ValueError: when there were too many people.
        """
        known = self._people.get(str(jid))
        if known is None:
            if len(self._people) >= MAX_PEOPLE:
                raise ValueError(f"{MAX_PEOPLE} people have spoken already")
            known = You(str(jid), self.you.room)
            self._people[str(jid)] = known
        self.you = known

    def occupant(self, room: str, person: str) -> tuple[str, str] | None:
        """Nick and affiliation of one of the people in their room; None for others."""
        you = self._people.get(str(Jid.parse(person).bare))
        if you is None or you.room is None or room != str(Jid.parse(you.room)):
            return None
        return you.nick or Jid.parse(you.sender).local or you.sender, you.affiliation


def _bare(you: You) -> str:
    return str(Jid.parse(you.sender).bare)
