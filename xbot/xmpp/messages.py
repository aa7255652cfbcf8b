"""Messages in: from a stanza to one message of facts, or a counted reason why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from twisted.logger import Logger
from twisted.words.xish import domish

from xbot.jid import Jid
from xbot.message import Message
from xbot.xmpp._wokkel import XMPPHandler
from xbot.xmpp.rooms import Rooms
from xbot.xmpp.stanza import NotSpoken, Spoken, read_message


class Messages(XMPPHandler):  # type: ignore[misc]
    """Takes every message stanza; what speaks to us goes on, the rest is counted.

    ``dropped`` counts the rest by reason. The past and our own words go on too,
    marked as what they are: to drop those is the engine's rule, for every adapter.
    """

    _log = Logger("xbot.xmpp")

    def __init__(
        self,
        own_jid: Callable[[], Jid | None],
        account: Jid,
        rooms: Rooms,
        got_message: Callable[[Message], None],
    ) -> None:
        super().__init__()
        self._own_jid = own_jid
        self._account = account
        self._rooms = rooms
        self._got_message = got_message
        self.dropped: Counter[str] = Counter()

    def connectionInitialized(self) -> None:
        self.xmlstream.addObserver("/message", self.got_stanza)

    def got_stanza(self, stanza: domish.Element) -> None:
        """A message stanza arrived."""
        try:
            message = self._read(stanza)
        except NotSpoken as unheard:
            self.dropped[unheard.reason] += 1
            self._log.debug(
                "dropped a message from {sender}: {reason}",
                sender=stanza.getAttribute("from", "")[:200],
                reason=unheard.reason,
            )
            return
        if message is not None:
            self._got_message(message)

    def _read(self, stanza: domish.Element) -> Message | None:
        """The message that a stanza makes; None for a subject, which the room takes."""
        spoken = read_message(stanza, Jid(None, self._account.domain))
        room = self._rooms.get(spoken.sender.bare)
        if spoken.kind == "groupchat":
            if room is None:
                raise NotSpoken("unknown-room")
            if spoken.is_subject:
                room.got_subject()
                return None
        elif spoken.is_subject:
            raise NotSpoken("no-body")
        if room is None:
            return self._message(
                spoken, identity=spoken.sender.bare, echo=spoken.sender.bare == self._account
            )
        nick = spoken.sender.resource
        if nick is None:
            # XEP-0045 10: the room itself tells us something, which nobody asks of us.
            raise NotSpoken("room-notice")
        return self._message(
            spoken,
            # Never the sender's bare JID, which is the room's: everyone in it would be one person.
            identity=room.real_jid(nick),
            echo=nick == room.nick,
            past=not room.caught_up,
            room=room.jid,
            nick=nick,
        )

    def _message(
        self,
        spoken: Spoken,
        *,
        identity: Jid | None,
        echo: bool,
        past: bool = False,
        room: Jid | None = None,
        nick: str | None = None,
    ) -> Message:
        payload = {"type": spoken.kind}
        if spoken.id is not None:
            payload["id"] = spoken.id
        return Message(
            sender=str(spoken.sender),
            recipient=str(self._own_jid()),
            body=spoken.body,
            payload=payload,
            room=str(room) if room is not None else None,
            nick=nick,
            identity=str(identity) if identity is not None else None,
            delayed=spoken.delayed or past,
            echo=echo,
        )
