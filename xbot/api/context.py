"""``say``, ``brain`` and ``on_close``, bound to the calling responder by a context variable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, TypeVar

from xbot.model.jid import Jid
from xbot.runtime.scope import current

F = TypeVar("F", bound=Callable[[], object])
_MISSING = object()


def say(to: str | Jid, text: str) -> None:
    """Send ``text`` to a room that the bot is configured for or in, or to a person.

    ``to`` is a JID. A room's bare JID (``ops@rooms.example.org``) addresses everyone
    there; with a nick after the slash, that occupant alone. Any other JID is a person, whom
    ``may-write-to`` in ``[xbot]`` or the responder's ``allow`` must name. ::

        @every("1h")
        async def chime():
            say("lounge@rooms.example.org", "cuckoo")

    It works in all of a responder's code: while it is loaded, in ``start`` and
    ``stop``, in runs and timers, in coroutines and threads. It returns at once. The
    message waits in the outbox for the connection and for the room; it survives a
    lost connection, but not the process. Blank text is not sent; text of more than
    65,536 characters is cut. To answer a message, use ``message.reply``.

    :raises OutsideResponder: where no responder's code is running.
    :raises SaysTooMuch: after 100 messages within a minute.
    :raises InvalidJid: when ``to`` is no JID.
    :raises MayNotWrite: when the ini does not permit to write to that person.
    """
    current("say").say(to, text)


def on_close(function: F) -> F:
    """Register ``function()`` to be called, on the reactor, when this responder is unloaded.

    That is at a reload, at shutdown, and when its ``start`` fails. The functions are
    called in reverse order, after the ``stop`` method. One may be a coroutine function
    or return a Deferred, with a time limit of 5 seconds; it must not block. Also usable
    as a decorator. ::

        def __init__(self, *, port: int):
            self.server = listen(port)
            on_close(self.server.stop)

    :raises OutsideResponder: where no responder's code is running.
    """
    current("on_close").on_close(function)
    return function


class OwnMemory(MutableMapping[str, Any]):
    """``brain``: a persistent dict of the calling responder, which survives restarts.

    Each responder has its own, by its name in the ini. Keys are str; values are None,
    bool, int, float, str, and lists and dicts of them. ::

        @respond(r"remember (?P<what>\\w+) is (?P<value>.+)")
        async def remember(message, what, value):
            brain[what] = value
            return "I will."

    **Values are copies**: set a value again after you changed it. It works in all of a
    responder's code, in coroutines and in threads, once the bot has started (not while
    the responder is loaded: use ``start``). No call waits for the disk. Answers of a run
    that wrote to it, and later answers, are sent once these writes are saved.

    :raises OutsideResponder: where no responder's code is running.
    """

    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Store ``value`` for ``ttl`` seconds (time to live), or without expiry."""
        self._change("set", key, value, ttl)

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """Atomically add ``by`` to a counter (0 if the key is missing); return the sum.

        ``ttl`` (seconds) applies when the counter is created, and is not renewed.
        """
        count: int = self._change("increment", key, by, ttl)
        return count

    def time_left(self, key: str) -> float | None:
        """Seconds until ``key`` expires, None if it does not expire. Raises KeyError."""
        memory: Any = current("brain").memory
        left: float | None = memory.time_left(key)
        return left

    def __getitem__(self, key: str) -> Any:
        return current("brain").memory[key]

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or ``default``."""
        return current("brain").memory.get(key, default)

    def __setitem__(self, key: str, value: Any) -> None:
        self._change("__setitem__", key, value)

    def __delitem__(self, key: str) -> None:
        self._change("__delitem__", key)

    def __contains__(self, key: object) -> bool:
        return key in current("brain").memory

    def __iter__(self) -> Iterator[str]:
        return iter(current("brain").memory)

    def __len__(self) -> int:
        return len(current("brain").memory)

    def __repr__(self) -> str:
        # The values may be secret.
        return "<the brain of the calling responder>"

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Remove ``key`` and return its value; ``default``, or KeyError, if it is missing."""
        return self._change("pop", key, *(() if default is _MISSING else (default,)))

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the newest key and its value. Raises KeyError if empty."""
        pair: tuple[str, Any] = self._change("popitem")
        return pair

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of ``key``; sets it to ``default`` first if it is missing."""
        return self._change("setdefault", key, default)

    def clear(self) -> None:
        """Remove all keys."""
        self._change("clear")

    def _change(self, method: str, *args: Any) -> Any:
        scope = current("brain")
        try:
            return getattr(scope.memory, method)(*args)
        finally:
            scope.unsaved.got_write()


#: The memory of the calling responder.
brain = OwnMemory()
