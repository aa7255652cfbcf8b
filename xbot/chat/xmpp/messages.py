"""Messages in: from a stanza to one message of facts, or a counted reason why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.words.xish import domish

from xbot.chat.xmpp.rooms.room import Room
from xbot.chat.xmpp.rooms.rooms import Rooms
from xbot.chat.xmpp.stanzas.delay import is_delayed, is_kept, is_resent
from xbot.chat.xmpp.stanzas.fast_path import MESSAGE, Glance, glance_at_message
from xbot.chat.xmpp.stanzas.occupants import NOBODY
from xbot.chat.xmpp.stanzas.stanza import (
    MAX_ID,
    NotSpoken,
    Spoken,
    message_key,
    read_message,
    stanza_id,
)
from xbot.chat.xmpp.stream.freshness import Freshness
from xbot.chat.xmpp.stream.handlers import Handler
from xbot.chat.xmpp.wire.nodes import Node
from xbot.model.jid import Jid
from xbot.model.message import Message, payload_of

GotMessage = Callable[[Message], Deferred[None] | None]
"""Takes a message; what it gives fires once the message cannot be lost any more."""


class Ignores(Protocol):
    """Whether what was said in a room is nothing to anyone; then it is dealt with."""

    def __call__(self, body: str, room: str, nick: str, *, delayed: bool, echo: bool) -> bool:
        """``nick`` is ours."""


class Messages(Handler):
    """Takes every message stanza; what speaks to us goes on, the rest is counted.

    ``dropped`` counts the rest by reason. The past and our own words go on too,
    marked as what they are: to drop those is the engine's rule, for every adapter.
    What is read while ``freshness`` is stale is past, too, and marked as missed.
    """

    _log = Logger("xbot.chat.xmpp")

    def __init__(
        self,
        own_jid: Callable[[], Jid | None],
        account: Jid,
        rooms: Rooms,
        got_message: GotMessage,
        wall_clock: Callable[[], float],
        resume_max_age: float,
        ignores: Ignores | None = None,
        freshness: Freshness | None = None,
    ) -> None:
        super().__init__()
        self._own_jid = own_jid
        self._account = account
        self._recipient = ""
        # Prosody writes our own bare JID where it sends something again, else its domain.
        self._servers = {str(account), account.domain}
        self._rooms = rooms
        self._got_message = got_message
        self._wall_clock = wall_clock
        self.resume_max_age = resume_max_age
        self._ignores = ignores
        self._freshness = Freshness() if freshness is None else freshness
        self.dropped: Counter[str] = Counter()

    def observe(self) -> None:
        # No session goes on under another name.
        self._recipient = str(self._own_jid())
        self.watch("message", self.got_stanza)
        self.xmlstream.shortcuts[MESSAGE] = self.take
        self.xmlstream.glance_shortcuts[Glance] = self.take_seen

    # The short way of what is plain (xbot.chat.xmpp.stream.stream.Shortcut). All that it does
    # is done on the long way too, where it is easier to see.

    def take(self, node: Node) -> bool:
        """Deal with something plain that was said in one of our rooms; False if it is not."""
        seen = glance_at_message(node)
        return self._rooms.take_subject(node) if seen is None else self.take_seen(seen)

    def take_seen(self, seen: Glance) -> bool:
        """The same of what was glanced at already."""
        if self._freshness.is_stale or (seen.delayed and self.xmlstream.is_resumed):
            return False
        sender, _, body, delayed, _, _ = seen
        room = self._rooms.at(sender.bare_text)
        if room is None:
            return False
        room.heard()
        nick = sender.jid.resource
        assert nick is not None
        if self._ignores is None or not self._ignores(
            body,
            sender.bare_text,
            room.nick,
            delayed=delayed or not room.caught_up,
            echo=nick == room.nick,
        ):
            key = message_key(sender.text, body, seen.origin_id or seen.id, seen.stanza_id)
            self._pass_on(
                self._in_room(room, nick, sender.text, "groupchat", seen.id, body, key, delayed)
            )
        return True

    # The long way.

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
        if message is not None:
            self._pass_on(message)

    def _pass_on(self, message: Message) -> None:
        safe = self._got_message(message)
        if safe is not None:
            self.xmlstream.hold(safe)

    def is_past(self, stanza: domish.Element) -> bool:
        """Whether it was said before now, and is no part of this session."""
        return self._freshness.is_stale or (is_delayed(stanza) and not self._is_resent(stanza))

    def _read(self, stanza: domish.Element) -> Message | None:
        """The message that a stanza makes; None for a subject, which the room takes."""
        spoken = read_message(stanza, Jid(None, self._account.domain))
        room = self._rooms.at(str(spoken.sender.bare))
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
                spoken.key(stanza_id(stanza, self._account)),
                delayed=delayed,
                is_kept=delayed and is_kept(stanza, self._servers),
            )
        nick = spoken.sender.resource
        if nick is None:
            # XEP-0045 10: the room itself tells us something, which nobody asks of us.
            raise NotSpoken("room-notice")
        by = room.jid if spoken.kind == "groupchat" else self._account
        return self._in_room(
            room,
            nick,
            str(spoken.sender),
            spoken.kind,
            spoken.id,
            spoken.body,
            spoken.key(stanza_id(stanza, by)),
            delayed,
        )

    def _in_room(
        self,
        room: Room,
        nick: str,
        sender: str,
        kind: str,
        id: str | None,
        body: str,
        key: str | None,
        delayed: bool,
    ) -> Message:
        """What was said in a room, or privately through it."""
        occupant = room.occupants.get(nick) or NOBODY
        is_past = delayed or not room.caught_up
        is_stale = self._freshness.is_stale
        return Message(
            sender,
            self._recipient,
            body,
            payload_of(kind, _kept(id)),
            room=room.address,
            nick=nick,
            # Never the sender's bare JID, which is the room's: everyone in it would be one person.
            identity=occupant.identity,
            delayed=is_past or is_stale,
            echo=nick == room.nick,
            key=key,
            affiliation=occupant.affiliation,
            occupant=room.occupants.number(nick),
            missed=is_stale and not is_past,
        )

    def _is_resent(self, stanza: domish.Element) -> bool:
        """The one exception to the rule that what is delayed is past."""
        return self.xmlstream.is_resumed and is_resent(
            stanza,
            self._servers,
            self._wall_clock(),
            self.resume_max_age,
        )

    def _message(self, spoken: Spoken, key: str | None, *, delayed: bool, is_kept: bool) -> Message:
        """What was said to us alone; ``is_kept``: while we were away, as our server says."""
        identity = spoken.sender.bare
        is_stale = self._freshness.is_stale
        return Message(
            str(spoken.sender),
            self._recipient,
            spoken.body,
            payload_of(spoken.kind, _kept(spoken.id)),
            identity=str(identity),
            delayed=delayed or is_stale,
            echo=identity == self._account,
            key=key,
            missed=is_kept or (is_stale and not delayed),
        )


def _kept(id: str | None) -> str | None:
    return None if id is None or len(id) > MAX_ID else id
