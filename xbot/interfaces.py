"""The contracts between the engine and its edges."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from xbot.message import Message


class IAdapter(Interface):
    """One chat service. It knows the engine only as a callable that takes messages.

    Whoever builds an adapter gives it ``got_message(message)``, which it calls
    for every message that arrives, the past and our own echo included (marked
    as what they are).
    """

    name = Attribute("What logs and status call it, a str.")

    def start() -> None:
        """Connect, and stay connected until :meth:`stop`."""

    def stop() -> Deferred[None]:
        """Say goodbye and disconnect; fires when nothing is left running."""

    def send(message: Message) -> None:
        """Send ``message`` to its recipient.

        :raises xbot.errors.NotConnected: when it cannot leave now.
        """

    def nick_in(room: str) -> str | None:
        """What the bot is called in ``room`` (bare address), or None when not in it."""

    def join(room: object) -> None:
        """Be in the room that these :class:`xbot.settings.RoomSettings` name, from now on."""

    def leave(room: str) -> None:
        """Leave ``room`` (bare address) and do not come back."""
