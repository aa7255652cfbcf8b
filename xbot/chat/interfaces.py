"""Contract of a chat network towards the engine, and of its delivery receipts (zope.interface)."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from xbot.model.message import Message


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
