"""Message: one chat message as an immutable value, independent of the chat network."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from attrs import field, frozen

from xbot.model.errors import InvalidJid, XbotError
from xbot.model.jid import Jid
from xbot.model.markup import code as block


def _frozen_mapping(value: Mapping[str, str]) -> Mapping[str, str]:
    # A MappingProxyType was made here, so no caller can change the dict behind it.
    return value if type(value) is MappingProxyType else MappingProxyType(dict(value))


def payload_of(kind: str | None, id: str | None = None) -> Mapping[str, str]:
    """A payload with this ``type`` and this ``id``; either may be None."""
    if kind is None:
        return MappingProxyType({} if id is None else {"id": id})
    return MappingProxyType({"type": kind} if id is None else {"type": kind, "id": id})


class ReplyChannel(Protocol):
    """Sends the replies and questions of the run that a message was given to."""

    def say(self, message: Message) -> None:
        """Send ``message`` now; may be called from any thread."""

    def ask(self, question: Message, timeout: float) -> Awaitable[Message]:
        """Send ``question``; returns what the same person says next in the same place."""


class NobodyListens(XbotError):
    """Only the responder that a message was given to can reply to it, while it runs."""

    def __init__(self) -> None:
        super().__init__("only a responder can reply, and only to the message that it was given")


class AskedInThread(XbotError):
    """A plain function called :meth:`Message.ask`; only ``async def`` functions can await it."""

    def __init__(self) -> None:
        super().__init__(
            "a plain function runs in a thread and cannot ask back: write a coroutine function"
            " (async def) and await message.ask(...) in it"
        )


class Addressee(NamedTuple):
    """The person to whom a private message through a room is addressed, whatever their nick is.

    ``occupant`` and ``identity`` are those of the message that is answered; both None where
    the room told neither.
    """

    occupant: str | None
    identity: str | None


#: Maximum time-out of :meth:`Message.ask`, in seconds.
MAX_ASK = 3600.0


# Without slots: a message is made twice for each command, and slots make that 50 % slower.
@frozen(slots=False)
class Message:
    """One message, received or to be sent.

    - ``sender``, ``recipient``: addresses in the adapter's own form (on XMPP: JIDs as text).
    - ``payload``: facts for the adapter, which the engine passes on unread. On XMPP ``type``
      is the stanza's type (``groupchat``, ``chat``, ``normal``) and ``id`` its id, unless that
      is unusually long.
    - ``room``: the room's bare address, for messages in a room *and* private messages through
      it; ``nick``: the speaker's nick there.
    - ``identity``: the speaker's real bare address if it is known for certain, else None.
      Without an identity a sender has no rights.
    - ``delayed``: an old message (XEP-0203, room history); ``echo``: our own message, sent
      back by the room. Neither is obeyed.
    - ``affiliation``: the speaker's affiliation with ``room`` as the room reports it
      (``owner``, ``admin``, ``member``, ``outcast``; XEP-0045 5.2), ``none`` if unknown.
    - ``occupant``: the speaker during one stay in the room, whatever the nick; where the room
      tells who is who (XEP-0421) in each stay. None if unknown.
    - ``newcomer``: it is not known who the speaker is, and they entered the room a short while
      ago, so that they may be anyone under another nick.
    - ``missed``: the message is delayed because the bot was away: a direct message that the
      server kept, or one that was read only after the process had been suspended.
    - ``key``: identifies the message, to deduplicate it; None: it has no such key.
    - ``key_lasts``: seconds after which the same ``key`` means another message, because its
      sender chose the id; None: the key identifies the message for ever.
    - ``live``: the server sent it for the first time, so a duplicate is not the server's
      resend but an id that was used again.
    - ``waited``: seconds between the server's receipt and now, for a message that the server
      resends after an outage; rate limits count it at the time when it was said. 0 for others.
    - ``encrypted``: the text is encrypted end to end, and ``body`` only a hint for people.
    - ``hops``: 0 for a message from chat, and one more for each :meth:`xbot.bot.obey`.
    - ``addressee``: the person for whom a private answer through a room is; it does not go to
      another person who has taken the nick by the time that it is sent.
    - ``authors``: the other people who chose the words (of an alias), each as a message from
      the same place, None for an unknown one. What has effects must be allowed to all of them.
    """

    sender: str
    recipient: str
    body: str
    payload: Mapping[str, str] = field(factory=dict, converter=_frozen_mapping, hash=False)
    room: str | None = None
    nick: str | None = None
    identity: str | None = None
    delayed: bool = False
    echo: bool = False
    key: str | None = None
    affiliation: str = "none"
    occupant: str | None = field(default=None, kw_only=True)
    newcomer: bool = field(default=False, kw_only=True)
    hops: int = field(default=0, kw_only=True)
    missed: bool = field(default=False, kw_only=True)
    addressee: Addressee | None = field(default=None, kw_only=True)
    authors: tuple[Message | None, ...] = field(default=(), kw_only=True)
    key_lasts: float | None = field(default=None, eq=False, kw_only=True)
    live: bool = field(default=False, eq=False, kw_only=True)
    encrypted: bool = field(default=False, kw_only=True)
    waited: float = field(default=0.0, eq=False, kw_only=True)
    _reply_channel: ReplyChannel | None = field(default=None, eq=False, repr=False, kw_only=True)

    def with_id(self, id: str) -> Message:
        """The same message with this stanza id."""
        return self._changed({**self.payload, "id": id}, self._reply_channel)

    def with_reply_channel(self, reply_channel: ReplyChannel) -> Message:
        """The same message, whose :meth:`reply` and :meth:`ask` go to ``reply_channel``."""
        return self._changed(self.payload, reply_channel)

    def _changed(self, payload: Mapping[str, str], reply_channel: ReplyChannel | None) -> Message:
        # Faster than evolve(), which looks the fields up each time.
        return Message(
            self.sender,
            self.recipient,
            self.body,
            payload,
            self.room,
            self.nick,
            self.identity,
            self.delayed,
            self.echo,
            self.key,
            self.affiliation,
            occupant=self.occupant,
            newcomer=self.newcomer,
            hops=self.hops,
            missed=self.missed,
            addressee=self.addressee,
            authors=self.authors,
            key_lasts=self.key_lasts,
            live=self.live,
            encrypted=self.encrypted,
            waited=self.waited,
            reply_channel=reply_channel,
        )

    @property
    def is_public(self) -> bool:
        """Whether everyone in the room sees the message."""
        return self.payload.get("type") == "groupchat"

    @property
    def speaker(self) -> str:
        """The sender's display name: the nick, or the local part of the address."""
        if self.nick:
            return self.nick
        try:
            return Jid.parse(self.sender).local or self.sender
        except InvalidJid:
            return self.sender  # from an adapter whose addresses are not JIDs

    def reply(self, text: str, *, code: bool = False) -> None:
        """Send an answer now; may be called several times, and from any thread.

        A public message is answered in the room, others to the sender alone. With
        ``code`` the answer is preformatted text (:func:`xbot.code`). What the
        responder returns is sent after these. Blank texts, and answers after the
        responder's time limit, are not sent.

        :raises NobodyListens: when this is not the message that a responder was given.
        :raises TypeError: when ``text`` is not a str.
        """
        if not isinstance(text, str):
            raise TypeError(f"replied with {type(text).__name__}")
        if self._reply_channel is None:
            raise NobodyListens()
        self._reply_channel.say(reply_to(self, block(text) if code else text))

    def ask(self, text: str, *, timeout: float = 60.0) -> Awaitable[Message]:
        """Ask back, and wait for what the same person says next in the same place. ::

            answer = await message.ask("Which one?")
            message.reply(f"You want {answer.body}.")

        Their next message is the answer, whatever it says, and goes to no other
        responder; the bot's name in front is not part of its ``body``. The answer has
        :meth:`reply` and :meth:`ask` too. The responder's time limit does not run
        while it waits for the answer.

        For coroutine functions only. A newer question to the same person replaces
        this one, which then gets no answer.

        :raises NoAnswer: (when awaited) after ``timeout`` seconds, 3600 at most, without one.
        :raises AskedInThread: in a plain function.
        :raises NobodyListens: when this is not the message that a responder was given.
        """
        if not isinstance(text, str):
            raise TypeError(f"asked with {type(text).__name__}")
        if not 0 < timeout <= MAX_ASK:
            raise ValueError(f"timeout is {timeout} s, and not above 0 and at most {MAX_ASK:g} s")
        if self._reply_channel is None:
            raise NobodyListens()
        return self._reply_channel.ask(reply_to(self, text), timeout)


def reply_to(message: Message, text: str, *, id: str | None = None) -> Message:
    """Make an answer to ``message``: from and to swapped, same type, own ``id``.

    A public message is answered to the room, a private one (direct, or through a
    room) to its sender.
    """
    payload = payload_of(message.payload.get("type"), id)
    room = message.room
    if room and not message.is_public:
        addressee = Addressee(message.occupant, message.identity)
        return Message(message.recipient, message.sender, text, payload, room, addressee=addressee)
    return Message(message.recipient, room or message.sender, text, payload, room)
