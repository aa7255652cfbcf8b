"""Deduplicate messages after a lost session: find them in the room's history.

When a session is lost (XEP-0198), the server may have passed unacknowledged messages on to
the room. So at the next join the room is asked for its last messages, and those of ours
that are among them are not sent again.
"""

from __future__ import annotations

from xbot.model.message import Message

#: Number of messages of history to ask for (XEP-0045, section 7.2.14).
HISTORY = 20

#: Maximum number of ids remembered; the window of a session (XEP-0198) is smaller.
MAX_KNOWN = 64


class Unconfirmed:
    """The ids of messages to one room that were sent and may have arrived.

    It is *open* from :meth:`add` to :meth:`end`: while ids are sought in the room's history.
    """

    def __init__(self) -> None:
        self._nick = ""
        # By id, whether it was found; oldest first.
        self._ids: dict[str, bool] = {}
        self.is_open = False

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def history(self) -> int:
        """The number of messages of history to ask for; 0 if nothing is sought."""
        return HISTORY if self.is_open else 0

    def add(self, message: Message, nick: str) -> None:
        """Seek ``message``, which we sent to the room as ``nick`` in a session that is lost."""
        id = message.payload.get("id")
        if id is None:
            return
        self._nick = nick
        self._ids[id] = False
        self.is_open = True
        if len(self._ids) > MAX_KNOWN:
            del self._ids[next(iter(self._ids))]

    def got_history(self, nick: str, our_nick: str, *ids: str | None) -> None:
        """The room has a message by ``nick``, under these ids; we are ``our_nick`` now."""
        # Our nick may differ from the one in the lost session.
        if self.is_open and nick in (our_nick, self._nick):
            for id in ids:
                if id in self._ids:
                    self._ids[id] = True

    def end(self) -> None:
        """The history was read. What was not found is sent again."""
        self.is_open = False
        self._ids = {id: True for id, is_found in self._ids.items() if is_found}

    def take(self, message: Message) -> bool:
        """Whether ``message`` was found; then forget it."""
        return self._ids.pop(message.payload.get("id", ""), False)
