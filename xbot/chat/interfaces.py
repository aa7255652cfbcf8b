"""Contracts of a chat network: towards the engine and the service (zope.interface)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from xbot.config.reload_plan import Plan
from xbot.config.settings import Config
from xbot.model.message import Message
from xbot.model.status import Link, Place


class IAdapter(Interface):
    """One chat service. It knows the engine only as a callable that takes messages.

    Whoever builds an adapter gives it ``got_message(message)``, which it calls
    for every message that arrives, the past and our own echo included (marked
    as what they are), and an :class:`IReceipts`. What ``got_message`` gives, if
    it is not None, fires once the message cannot be lost any more.
    """

    name = Attribute("What logs and status call it, a str.")
    measure = Attribute(
        "How long the text of one message may be, a :class:`xbot.model.size_limit.Measure`."
    )

    def start() -> None:
        """Connect, and stay connected until :meth:`stop`."""

    def stop() -> Deferred[None]:
        """Say goodbye and disconnect; fires when nothing is left running."""

    def send(message: Message) -> None:
        """Send ``message`` to its recipient.

        :raises xbot.model.errors.NotConnected: when it cannot leave now.
        :raises xbot.model.errors.Unreachable: when it cannot, however long it waits.
        :raises xbot.model.errors.TooLong: when it is too long for one message.
        """

    def nick_in(room: str) -> str | None:
        """What the bot is called in ``room`` (bare address), or None when not in it."""

    def join(room: object, by: str | None = None) -> None:
        """Be in the room that these :class:`xbot.config.settings.RoomSettings` name, from now on.

        Where we are in it already, only what differs is changed. ``by`` is the person
        (bare address) who told us, None for the ini: then the room is remembered.

        :raises xbot.model.errors.TooManyRooms: when no more are remembered.
        """

    def places() -> Sequence[str]:
        """The rooms that we want to be in (bare addresses)."""

    def occupant(room: str, person: str) -> tuple[str, str] | None:
        """Nick and affiliation of ``person`` (a real bare address) in ``room``, if there."""

    def leave(room: str) -> None:
        """Leave ``room`` (bare address), do not come back, and forget who invited us to it."""


class IReceipts(Interface):
    """Who is told what became of the messages that an adapter took."""

    def got_ready(place: str | None = None) -> None:
        """What waits for this place (a bare address; None: for any) may leave now, or never will.

        What is sent then leaves, or is refused.
        """

    def got_delivered(message: Message) -> None:
        """The other side has it."""

    def got_returned(messages: Sequence[Message]) -> None:
        """These left and may not have arrived, oldest first: they are to be sent again."""

    def got_refused(message: Message) -> None:
        """This can never be said: it is not to be sent again."""

    def got_bounced(message: Message) -> None:
        """This arrived and came back: it is to be sent again, once its place is ready."""


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
        """Begin with what the adapter needs; the adapter itself is begun by the assembly."""

    def stop() -> Awaitable[None]:
        """Say goodbye and disconnect."""

    def close() -> Awaitable[None]:
        """End what :meth:`start` began."""

    def link(now: float) -> Link:
        """How the connection is; ``now`` is the reactor's time."""

    def places(now: float) -> Sequence[Place]:
        """How each room is in which we want to be."""

    def knows_room(room: str) -> bool:
        """Whether we want to be in this room (bare address)."""

    def why_not_in(room: str) -> str:
        """Why nothing can be said in this room (bare address) now; empty where it can."""

    def changed_files(config: Config) -> Sequence[str]:
        """The options of ``config`` whose files hold something else than when we connected."""

    def check(config: Config) -> None:
        """Raises InvalidConfig where we could not connect with ``config``."""

    def change(plan: Plan) -> None:
        """Go on with the ini of now and the same account: only what differs is touched."""

    def renew() -> Awaitable[None]:
        """Go on with another account, or another way to it. The outbox keeps what waits."""
