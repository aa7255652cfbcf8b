"""Bounced room messages are sent again, once (XEP-0045, section 7.4).

The server acknowledges a message before the room has seen it. If our process died and the
next one has already joined the room, ejabberd removes both occupants when it notices that
the first is gone, and the room bounces the messages sent meanwhile.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from twisted.logger import Logger

from xbot.model.message import Message

#: Maximum number of recent messages remembered per room, and of rooms (LRU).
MAX_KNOWN, MAX_ROOMS = 64, 64

#: The error of XEP-0045 7.4. Other errors (no voice, for example) would only come again.
_NOT_IN_ROOM = "not-acceptable"


class Bounces:
    """Passes bounced messages to ``say_again``, deduplicated: a second bounce is a loss."""

    _log = Logger("xbot.chat.xmpp.rooms.bounces")

    def __init__(self, say_again: Callable[[Message], None]) -> None:
        self._say_again = say_again
        # By room and id; None for a message that has bounced already.
        self._known: OrderedDict[str, OrderedDict[str, Message | None]] = OrderedDict()

    def sent(self, room: str, message: Message) -> None:
        """Remember ``message``, which was sent to everyone in ``room``."""
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
        """``room`` returned an error for the message with this id."""
        known = self._known.get(room)
        if id is None or known is None or id not in known or condition != _NOT_IN_ROOM:
            return
        message, known[id] = known[id], None
        if message is None:
            self._log.warn("{room} returned a message a second time: it is lost", room=room)
            return
        self._log.info("{room} returned a message: sending it again", room=room)
        self._say_again(message)
