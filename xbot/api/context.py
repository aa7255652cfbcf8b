"""What a responder's code can do wherever it runs: say something elsewhere, remember, clean up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, TypeVar

from xbot.model.jid import Jid
from xbot.runtime.scope import current

F = TypeVar("F", bound=Callable[[], object])
_MISSING = object()


def say(to: str | Jid, text: str) -> None:
    """Say ``text`` elsewhere: in a room that the bot is configured for or in, or to a person.

    ``to`` is a JID. A room's bare one (``ops@rooms.example.org``) says it to
    everyone there; with a nick behind the slash, to that occupant alone. Any
    other JID is a person. ::

        @every("1h")
        async def chime():
            say("lounge@rooms.example.org", "cuckoo")

    It works in all that a responder runs: while it is loaded, in ``start`` and
    ``stop``, in its answers and timers, in coroutines and threads. It returns at
    once. What is said waits in the outbox for the link and for the room, and
    outlives a lost connection, but not the process. Blank text is not said; text
    of more than 65,536 characters is cut. To answer, use ``message.reply``.

    :raises OutsideResponder: where no responder's code is running.
    :raises SaysTooMuch: after 100 things within a minute.
    :raises InvalidJid: when ``to`` is no JID.
    """
    current("say").say(to, text)


def on_close(function: F) -> F:
    """``function()`` is called, on the reactor, when this responder is unloaded.

    That is at a reload, at the end, and when its ``start`` fails. The last one
    given is the first one called, after the ``stop`` method. It may be a
    coroutine function or return a Deferred, which have 5 seconds; it must not
    block. Also good as a decorator. ::

        def __init__(self, *, port: int):
            self.server = listen(port)
            on_close(self.server.stop)

    :raises OutsideResponder: where no responder's code is running.
    """
    current("on_close").on_close(function)
    return function


class OwnMemory(MutableMapping[str, Any]):
    """``brain``: what this responder remembers, and still knows after a restart.

    A dict of its own for each responder, by its name in the ini. Keys are str;
    values are None, bool, int, float, str, and lists and dicts of them. ::

        @respond(r"remember (?P<what>\\w+) is (?P<value>.+)")
        async def remember(message, what, value):
            brain[what] = value
            return "I will."

    **Values are copies**: what was got and then changed must be set again. It
    works in all that a responder runs, in coroutines and in threads, once the
    bot has started (not while the responder is loaded: use ``start``). No call
    waits for the disk. What is answered by the same run, or after it, is said
    once what it set is saved.

    :raises OutsideResponder: where no responder's code is running.
    """

    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Remember ``value`` for ``ttl`` seconds, or for good."""
        self._change("set", key, value, ttl)

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """Count: add ``by`` to the number there (0 where nothing is), and give the sum.

        One step that nobody comes between. A count that begins lasts for
        ``ttl`` seconds, or for good.
        """
        count: int = self._change("increment", key, by, ttl)
        return count

    def time_left(self, key: str) -> float | None:
        """Seconds until it is forgotten; None where that is never. Raises KeyError."""
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
        # What is remembered may be anyone's secret.
        return "<the brain of whoever asks>"

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Forget it and give its value; ``default``, or KeyError, where nothing is."""
        return self._change("pop", key, *(() if default is _MISSING else (default,)))

    def popitem(self) -> tuple[str, Any]:
        """Forget the newest key, and give it and its value. Raises KeyError when there is none."""
        pair: tuple[str, Any] = self._change("popitem")
        return pair

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value; where nothing is, ``default`` from now on."""
        return self._change("setdefault", key, default)

    def clear(self) -> None:
        """Forget everything."""
        self._change("clear")

    def _change(self, method: str, *args: Any) -> Any:
        scope = current("brain")
        try:
            return getattr(scope.memory, method)(*args)
        finally:
            scope.unsaved.got_write()


#: The memory of whichever responder's code asks.
brain = OwnMemory()
