"""What a room sent back because we are not in it (XEP-0045, section 7.4): it is said again.

A server acknowledges what it takes, before the room has seen it. Where our process died and
the next one is in the room already, ejabberd takes both of them out when it notices that the
first is gone; what was said a moment ago is sent back then.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from twisted.logger import Logger

from xbot.model.message import Message

#: So many of the messages that left last are known of each room, and so many rooms: those to
#: which something was said last.
MAX_KNOWN, MAX_ROOMS = 64, 64

#: The condition of XEP-0045 7.4. Others (no voice, say) will be the same next time.
_NOT_IN_ROOM = "not-acceptable"


class Bounces:
    """Gives each message that was sent back to ``say_again``, once."""

    _log = Logger("xbot.chat.xmpp.rooms.bounces")

    def __init__(self, say_again: Callable[[Message], None]) -> None:
        self._say_again = say_again
        # By room and id; None for what came back already.
        self._known: OrderedDict[str, OrderedDict[str, Message | None]] = OrderedDict()

    def sent(self, room: str, message: Message) -> None:
        """This left, for everyone in a room."""
        id = message.payload.get("id")
        if id is None:
            return
        known = self._known.get(room)
        if known is None:
            known = self._known[room] = OrderedDict()
            if len(self._known) > MAX_ROOMS:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(room)
        if id in known:
            return
        known[id] = message
        if len(known) > MAX_KNOWN:
            known.popitem(last=False)

    def got(self, room: str, id: str | None, condition: str) -> None:
        """``room`` sent back what had this id."""
        known = self._known.get(room)
        if id is None or known is None or id not in known or condition != _NOT_IN_ROOM:
            return
        message, known[id] = known[id], None
        if message is None:
            self._log.warn("lost: {room} sent back twice what was said there", room=room)
            return
        self._log.info("{room} sent back what was said there: it is said again", room=room)
        self._say_again(message)
