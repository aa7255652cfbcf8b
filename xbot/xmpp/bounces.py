"""What a room sent back because we are not in it (XEP-0045, section 7.4): it is said again.

A server acknowledges what it takes, before the room has seen it. Where our process died and
the next one is in the room already, ejabberd takes both of them out when it notices that the
first is gone; what was said a moment ago is sent back then.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from twisted.logger import Logger

from xbot.message import Message

#: So many of the messages that left last are known.
MAX_KNOWN = 64

#: The condition of XEP-0045 7.4. Others (no voice, say) will be the same next time.
_NOT_IN_ROOM = "not-acceptable"


class Bounces:
    """Gives each message that was sent back to ``say_again``, once."""

    _log = Logger("xbot.xmpp.bounces")

    def __init__(self, say_again: Callable[[Message], None]) -> None:
        self._say_again = say_again
        # None for what came back already.
        self._known: OrderedDict[str, Message | None] = OrderedDict()

    def sent(self, message: Message) -> None:
        """This left, for everyone in a room."""
        id = message.payload.get("id")
        if id is None or id in self._known:
            return
        self._known[id] = message
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def got(self, room: str, id: str | None, condition: str) -> None:
        """``room`` sent back what had this id."""
        if id is None or id not in self._known or condition != _NOT_IN_ROOM:
            return
        message, self._known[id] = self._known[id], None
        if message is None:
            self._log.warn("lost: {room} sent back twice what was said there", room=room)
            return
        self._log.info("{room} sent back what was said there: it is said again", room=room)
        self._say_again(message)
