"""What responders find around them: a clock, threads, memory, and a way to be heard."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from xbot.model.message import Message
from xbot.process.threads import RunsInThread
from xbot.runtime.interfaces import IBot


@frozen(eq=False, repr=False)
class Environment:
    """What the bot lends to its responders.

    ``say`` takes what is to be said, in the reactor's thread. ``memory`` gives
    what the responder of this name remembers, and ``saved`` fires once all of
    it is durable. ``is_room`` knows the rooms by bare address; ``address`` is
    the bot's own. ``clock`` is a reactor's. ``bot`` is whom they ask about the bot itself.
    """

    clock: Any
    in_thread: RunsInThread
    say: Callable[[Message], object]
    memory: Callable[[str], MutableMapping[str, Any]]
    saved: Callable[[], Deferred[None]]
    is_room: Callable[[str], bool]
    address: str = ""
    bot: IBot | None = None
