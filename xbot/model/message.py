"""What was said, as one frozen value that belongs to no protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from attrs import field, frozen

from xbot.model.errors import InvalidJid, XbotError
from xbot.model.jid import Jid
from xbot.model.markup import code as block


def _frozen_mapping(value: Mapping[str, str]) -> Mapping[str, str]:
    # One that is frozen came from here: nobody has another way to it.
    return value if type(value) is MappingProxyType else MappingProxyType(dict(value))


def payload_of(kind: str | None, id: str | None = None) -> Mapping[str, str]:
    """A message's payload with this ``type`` and this ``id``, as far as there are any."""
    if kind is None:
        return MappingProxyType({} if id is None else {"id": id})
    return MappingProxyType({"type": kind} if id is None else {"type": kind, "id": id})


class Voice(Protocol):
    """How the run that has a message speaks while it lasts."""

    def say(self, message: Message) -> None:
        """Say this now, from whichever thread."""

    def ask(self, question: Message, timeout: float) -> Awaitable[Message]:
        """Say ``question``; gives what the person who is answered says next there."""


class NobodyListens(XbotError):
    """A message can be replied to only by the responder that was given it."""

    def __init__(self) -> None:
        super().__init__("only a responder can reply, and only to the message that it was given")


class AskedInThread(XbotError):
    """Only coroutine functions can ask back: write ``async def``, ``await message.ask(...)``."""

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


#: Nobody is waited for any longer, in seconds.
MAX_ASK = 3600.0


# Made twice for each command: with slots that takes half as long again.
@frozen(slots=False)
class Message:
    """One message, received or to be sent.

    ``sender`` and ``recipient`` are addresses in the adapter's own form (on
    XMPP: JIDs as text). ``payload`` holds the adapter's facts that the engine
    hands on unread; on XMPP its ``type`` is the stanza's (``groupchat``,
    ``chat``, ``normal``) and ``id`` the stanza's id, if it has one of a length
    that is usual.

    ``room`` is the room's bare address for what was said in a room *or*
    privately through it, and ``nick`` the speaker's nick there. ``identity``
    is the speaker's real bare address where it is known for certain, else
    ``None``: no identity, no rights. ``delayed`` marks the past (XEP-0203,
    room history) and ``echo`` our own words come back; neither is obeyed.
    ``affiliation`` is the speaker's in ``room`` (``owner``, ``admin``,
    ``member``, ``outcast``; XEP-0045 5.2), as the room says, and ``none``
    where nothing is known. ``occupant`` is the speaker's for one stay in the room,
    whatever the nick; None where nothing is known. ``missed`` marks what was delayed because
    we were away: said to us alone, and kept by our server until now, or read only
    after we stood still. ``key`` tells this message from every other, for good; with
    None it could not be recognised if it came again. ``hops`` is 0 for what was said;
    what the bot was told instead of that has one more (:meth:`xbot.bot.obey`).
    ``addressee`` is set in an answer that goes to one occupant of ``room``: it must not
    reach another person who has the nick by the time that it leaves.
    ``authors`` are the other people who chose its words, each as a message from the same
    place, or None for one who is not known: what has effects is for those whom its
    responder allows, all of them.
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
    hops: int = field(default=0, kw_only=True)
    missed: bool = field(default=False, kw_only=True)
    addressee: Addressee | None = field(default=None, kw_only=True)
    authors: tuple[Message | None, ...] = field(default=(), kw_only=True)
    _voice: Voice | None = field(default=None, eq=False, repr=False, kw_only=True)

    def with_id(self, id: str) -> Message:
        """The same message with this id of the adapter's."""
        return self._changed({**self.payload, "id": id}, self._voice)

    def with_voice(self, voice: Voice) -> Message:
        """The same message for a run, which speaks through ``voice``."""
        return self._changed(self.payload, voice)

    def _changed(self, payload: Mapping[str, str], voice: Voice | None) -> Message:
        # Not evolve(), which looks the fields up each time.
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
            hops=self.hops,
            missed=self.missed,
            addressee=self.addressee,
            authors=self.authors,
            voice=voice,
        )

    @property
    def is_public(self) -> bool:
        """Whether everyone in the room sees it (as opposed to one person)."""
        return self.payload.get("type") == "groupchat"

    @property
    def speaker(self) -> str:
        """What people call whoever said it: the nick, or the local part of the address."""
        if self.nick:
            return self.nick
        try:
            return Jid.parse(self.sender).local or self.sender
        except InvalidJid:
            return self.sender  # of an adapter whose addresses are no JIDs

    def reply(self, text: str, *, code: bool = False) -> None:
        """Answer now, as often as it takes; what the responder returns is said after that.

        In public what was said in public, else to the sender alone. From any
        thread. With ``code`` as preformatted text (:func:`xbot.code`). Blank
        texts are not said, nor is what comes after the responder's time limit.

        :raises NobodyListens: when this is not the message that a responder was given.
        :raises TypeError: when ``text`` is none.
        """
        if not isinstance(text, str):
            raise TypeError(f"replied with {type(text).__name__}")
        if self._voice is None:
            raise NobodyListens()
        self._voice.say(reply_to(self, block(text) if code else text))

    def ask(self, text: str, *, timeout: float = 60.0) -> Awaitable[Message]:
        """Ask back, and wait for what the same person says next in the same place. ::

            answer = await message.ask("Which one?")
            message.reply(f"You want {answer.body}.")

        Whatever that is, it is the answer, and no other responder's business; the
        bot's name in front is not part of its ``body``. The answer can be replied
        to, and asked back about, too. While a person is waited for, the
        responder's time limit stands still.

        For coroutine functions only. Whoever is asked something else meanwhile
        does not answer this any more.

        :raises NoAnswer: (when awaited) after ``timeout`` seconds, 3600 at most, without one.
        :raises AskedInThread: in a plain function.
        :raises NobodyListens: when this is not the message that a responder was given.
        """
        if not isinstance(text, str):
            raise TypeError(f"asked with {type(text).__name__}")
        if not 0 < timeout <= MAX_ASK:
            raise ValueError(f"nobody waits {timeout} s; up to {MAX_ASK:g} s are possible")
        if self._voice is None:
            raise NobodyListens()
        return self._voice.ask(reply_to(self, text), timeout)


def reply_to(message: Message, text: str, *, id: str | None = None) -> Message:
    """An answer to ``message``: from and to swapped, its type kept; ``id`` is its own.

    What was said in a room is answered to the room, what was said to the
    bot alone (directly or through a room) to its sender.
    """
    payload = payload_of(message.payload.get("type"), id)
    room = message.room
    if room and not message.is_public:
        addressee = Addressee(message.occupant, message.identity)
        return Message(message.recipient, message.sender, text, payload, room, addressee=addressee)
    return Message(message.recipient, room or message.sender, text, payload, room)
