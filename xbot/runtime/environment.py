"""Environment: the dependencies that the bot injects into its responders."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.process.threads import RunsInThread
from xbot.runtime.interfaces import IBot


@frozen(eq=False, repr=False)
class Environment:
    """Clock, thread pool, outbox, brain, and the bot itself, for responders.

    ``clock`` is the reactor. ``say`` sends a message; call it in the reactor's thread.
    ``memory(name)`` is the brain's namespace of the responder ``name``, and ``saved``
    fires once all namespaces are durable. ``is_room`` tells whether a bare address is
    a room, and ``may_write_to(name, person)`` whether the responder may write to that
    person unasked. ``address`` is the bot's own. ``bot`` is None where there is no bot.
    """

    clock: Any
    in_thread: RunsInThread
    say: Callable[[Message], object]
    memory: Callable[[str], MutableMapping[str, Any]]
    saved: Callable[[], Deferred[None]]
    is_room: Callable[[str], bool]
    may_write_to: Callable[[str, Jid], bool]
    address: str = ""
    bot: IBot | None = None
