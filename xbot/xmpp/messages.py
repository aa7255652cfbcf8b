"""Messages in: from a stanza to one message of facts, or a counted reason why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.words.xish import domish

from xbot.jid import Jid
from xbot.message import Message
from xbot.xmpp.delay import is_delayed, is_resent
from xbot.xmpp.handlers import Handler
from xbot.xmpp.occupants import NOBODY
from xbot.xmpp.rooms import Rooms
from xbot.xmpp.stanza import NotSpoken, Spoken, read_message, stanza_id

GotMessage = Callable[[Message], Deferred[None] | None]
"""Takes a message; what it gives fires once the message cannot be lost any more."""


class Messages(Handler):
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
        got_message: GotMessage,
        wall_clock: Callable[[], float],
        resume_max_age: float,
    ) -> None:
        super().__init__()
        self._own_jid = own_jid
        self._account = account
        self._rooms = rooms
        self._got_message = got_message
        self._wall_clock = wall_clock
        self.resume_max_age = resume_max_age
        self.dropped: Counter[str] = Counter()

    def observe(self) -> None:
        self.xmlstream.addObserver("/message", self.got_stanza)

    def got_stanza(self, stanza: domish.Element) -> None:
        """A message stanza arrived."""
        try:
            message = self._read(stanza)
        except NotSpoken as unheard:
            self.dropped[unheard.reason] += 1
            # What becomes of an invitation others tell.
            if unheard.reason != "invitation":
                self._log.debug(
                    "dropped a message from {sender}: {reason}",
                    sender=stanza.getAttribute("from", "")[:200],
                    reason=unheard.reason,
                )
            return
        if message is None:
            return
        safe = self._got_message(message)
        if safe is not None:
            self.xmlstream.hold(safe)

    def is_past(self, stanza: domish.Element) -> bool:
        """Whether it was said before now, and is no part of this session."""
        return is_delayed(stanza) and not self._is_resent(stanza)

    def _read(self, stanza: domish.Element) -> Message | None:
        """The message that a stanza makes; None for a subject, which the room takes."""
        spoken = read_message(stanza, Jid(None, self._account.domain))
        room = self._rooms.at(spoken.sender.bare)
        if spoken.kind == "groupchat":
            if room is None:
                raise NotSpoken("unknown-room")
            if spoken.is_subject:
                room.got_subject()
                return None
        elif spoken.is_subject:
            raise NotSpoken("no-body")
        delayed = spoken.delayed and not self._is_resent(stanza)
        if room is None:
            return self._message(
                spoken,
                stanza_id(stanza, self._account),
                identity=spoken.sender.bare,
                echo=spoken.sender.bare == self._account,
                delayed=delayed,
            )
        nick = spoken.sender.resource
        if nick is None:
            # XEP-0045 10: the room itself tells us something, which nobody asks of us.
            raise NotSpoken("room-notice")
        occupant = room.occupants.get(nick) or NOBODY
        return self._message(
            spoken,
            stanza_id(stanza, room.jid if spoken.kind == "groupchat" else self._account),
            # Never the sender's bare JID, which is the room's: everyone in it would be one person.
            identity=occupant.jid,
            affiliation=occupant.affiliation,
            echo=nick == room.nick,
            delayed=delayed or not room.caught_up,
            room=room.jid,
            nick=nick,
        )

    def _is_resent(self, stanza: domish.Element) -> bool:
        """The one exception to the rule that what is delayed is past."""
        return self.xmlstream.is_resumed and is_resent(
            stanza,
            {str(self._account), self._account.domain},
            self._wall_clock(),
            self.resume_max_age,
        )

    def _message(
        self,
        spoken: Spoken,
        trusted_id: str | None,
        *,
        identity: Jid | None,
        echo: bool,
        delayed: bool,
        room: Jid | None = None,
        nick: str | None = None,
        affiliation: str = "none",
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
            delayed=delayed,
            echo=echo,
            key=spoken.key(trusted_id),
            affiliation=affiliation,
        )
