"""Interfaces of a chat network: INetwork (service), IAdapter (engine), IReceipts (deliveries)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from xbot.config.settings import Config, RoomSettings
from xbot.model.message import Message
from xbot.model.status import Link, Place

if TYPE_CHECKING:
    # Only a reload needs it.
    from xbot.config.reload_plan import Plan


class IAdapter(Interface):
    """The connection to one chat network, as the engine sees it.

    An adapter is constructed with an :class:`IReceipts` and a callable
    ``got_message(message)``. It calls that for every incoming message, history
    and the echo of our own messages included (both are marked as such).
    ``got_message`` returns None, or a Deferred that fires once the message is
    durable.
    """

    name = Attribute("Name of the network in logs and status, a str.")
    measure = Attribute("Size limit of one message, a :class:`xbot.model.size_limit.Measure`.")

    def start() -> None:
        """Connect, and stay connected until :meth:`stop`."""

    def stop() -> Deferred[None]:
        """Leave and disconnect; the Deferred fires when nothing is left running."""

    def send(message: Message) -> None:
        """Send ``message`` to its recipient.

        :raises xbot.model.errors.NotConnected: when it cannot be sent now.
        :raises xbot.model.errors.Unreachable: when it cannot be sent, however long it waits.
        :raises xbot.model.errors.TooLong: when it is too long for one message.
        """

    def nick_in(room: str) -> str | None:
        """The bot's nick in ``room`` (bare address), or None when it is not in that room."""

    def is_mute(room: str) -> bool:
        """Whether the bot is in ``room``, but may not speak there."""

    def join(room: RoomSettings, by: str | None = None) -> None:
        """Join the room of these settings and stay in it.

        In a room that we are in already, only the settings that differ are applied.
        ``by`` is the person (bare address) who ordered it: then the room is kept on
        disk, too. None means that the ini lists the room.

        :raises xbot.model.errors.TooManyRooms: when no further room can be kept on disk.
        """

    def places() -> Sequence[str]:
        """The rooms that the bot should be in (bare addresses), joined or not."""

    def occupant(room: str, person: str) -> tuple[str, str] | None:
        """(nick, affiliation) of ``person`` (real bare address) in ``room``; None if not there."""

    def affiliation(message: Message) -> str:
        """The affiliation (XEP-0045 5.2) that the sender of ``message`` has in its room now.

        "none" when they are not there, "outcast" when the room banned them meanwhile.
        """

    def leave(room: str) -> None:
        """Leave ``room`` (bare address) for good, and delete the stored invitation to it."""


class IReceipts(Interface):
    """Delivery receipts: an adapter reports here what became of the messages it took."""

    def got_ready(place: str | None = None) -> None:
        """Send, or fail, what is queued for this place (bare address; None: for any place)."""

    def got_delivered(message: Message) -> None:
        """The other side has received the message."""

    def got_returned(messages: Sequence[Message]) -> None:
        """These were sent but may not have arrived; send them again. Oldest first."""

    def got_refused(message: Message) -> None:
        """The message can never be sent; do not send it again."""

    def got_bounced(message: Message, was_delivered: bool = False) -> None:
        """The message came back; send it again once its place is ready.

        ``was_delivered``: :meth:`got_delivered` was called for it before.
        """

    def got_rejected(message: Message, reason: str, was_delivered: bool = False) -> None:
        """The message came back for good: the recipient did not get it. Do not send it again."""


class NetworkEnvironment(NamedTuple):
    """What the rest of the bot is to a chat network: callables, and the outbox.

    ``config()`` is the ini that holds now. ``got_message`` and ``ignores`` are the
    dispatcher's, ``receipts`` is the outbox, and ``drain(seconds)`` waits until it is
    empty, for at most so long. ``is_running()`` tells whether a connection is still
    wanted. ``gave_up(reason)`` is called when only a person can help,
    ``got_change(state, problem)`` at each change of the connection (``problem`` is None
    where all is well), and ``got_adapter(adapter)`` for each new adapter.
    """

    config: Callable[[], Config]
    got_message: Callable[[Message], Deferred[Any] | None]
    ignores: Callable[..., bool]
    receipts: Any
    drain: Callable[[float], Awaitable[None]]
    is_running: Callable[[], bool]
    gave_up: Callable[[str], None]
    got_change: Callable[[str, str | None], None]
    got_adapter: Callable[[Any], None]


class INetwork(Interface):
    """One chat network of the ini: its account's adapter, made anew where the ini asks for it.

    Making one raises :class:`~xbot.model.errors.InvalidConfig` for bad files of the account.
    """

    adapter = Attribute("The :class:`IAdapter` of now. With another account there is another one.")
    embedded = Attribute("The server in our own process where the ini asks for one, else None.")
    account = Attribute("The account's address, a str; empty before the first login.")
    dropped = Attribute("How many stanzas or lines were dropped, by reason: a mapping.")
    is_connected = Attribute("Whether messages can leave now.")

    def start() -> Awaitable[None]:
        """Start what the adapter needs (the embedded server); the assembly starts the adapter."""

    def stop() -> Awaitable[None]:
        """Log out and disconnect."""

    def close() -> Awaitable[None]:
        """Stop what :meth:`start` started."""

    def link(now: float) -> Link:
        """The status of the connection; ``now`` is the reactor's time."""

    def places(now: float) -> Sequence[Place]:
        """The status of each room that we want to be in, of the ini or by invitation."""

    def knows_room(room: str) -> bool:
        """Whether we want to be in this room (bare address)."""

    def why_not_in(room: str) -> str:
        """Why nothing can be sent to this room (bare address) now; empty if we are in it.

        Empty for an unknown room, too.
        """

    def changed_files(config: Config) -> Sequence[str]:
        """The options of ``config`` whose files have changed since the adapter was made."""

    def check(config: Config) -> None:
        """Raise InvalidConfig when the account's files in ``config`` cannot be used."""

    def change(plan: Plan) -> None:
        """Apply a reloaded ini with the same account; only differences are applied."""

    def renew() -> Awaitable[None]:
        """Reconnect with another account or endpoint. Messages in the outbox stay queued."""
