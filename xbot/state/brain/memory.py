"""Memory: the dict-like view of one responder's namespace in the brain."""

from __future__ import annotations

import math
from collections.abc import ItemsView, Iterator, MutableMapping, ValuesView
from typing import Any, TypeVar

from xbot.state.brain.contents import Contents

T = TypeVar("T")
_MISSING = object()


class Memory(MutableMapping[str, Any]):
    """A persistent dict: what one responder remembers, also after a restart.

    Keys are str. Values are JSON types: None, bool, int, float, str, and lists and
    dicts (with str keys) of them. Anything else is a TypeError; nan and inf are a
    ValueError.

    **Values are copies**, both when set and when read. Changing a list that was
    read changes nothing until it is set again::

        names = memory.get("names", [])
        names.append("ada")
        memory["names"] = names

    It is thread-safe: use it from coroutines on the reactor and from threads. Every
    call works in memory and returns at once; none waits for a disk. Each call is
    atomic, a sequence of calls is not: count with :meth:`increment`. Iteration works
    on a snapshot, in insertion order.

    The limits are 10,000 keys and 4 MiB (as JSON) per memory, and 50,000 keys and
    16 MiB for the whole bot. Exceeding one raises
    :class:`~xbot.state.brain.errors.BrainFull` and changes nothing. Before the bot has
    started (while responders are loaded) and after it has stopped, any use raises
    :class:`~xbot.state.brain.errors.BrainNotOpen`.
    """

    __slots__ = ("_contents", "_name")

    def __init__(self, contents: Contents, name: str) -> None:
        self._contents = contents
        self._name = name

    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Store ``value`` for ``ttl`` seconds (time to live), or without expiry.

        Setting a key again without ``ttl`` removes its expiry. The time also counts
        while the bot is down, and setting the machine's clock does not change it. Only
        across a reboot the wall clock is used, and ignored when it goes backwards or
        more than a year ahead; see :func:`xbot.state.brain.lasting.elapsed`.
        """
        self._contents.put(self._name, key, value, _seconds(ttl))

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """Atomically add ``by`` to a counter (0 if the key is missing); return the sum.

        ``ttl`` (seconds) applies when the counter is created and is not renewed, so that
        ``increment(nick, ttl=60)`` counts per minute. Raises TypeError if the value is
        no int.
        """
        if type(by) is not int:
            raise TypeError(f"a count goes on by an int, not by a value of type {_type(by)}")
        return self._contents.add(self._name, key, by, _seconds(ttl))

    def time_left(self, key: str) -> float | None:
        """Seconds until ``key`` expires, None if it does not expire. Raises KeyError."""
        contents = self._contents
        with contents.lock:
            item = contents.find(self._name, key)
            if item is None:
                raise KeyError(key)
            return None if item.expires is None else item.expires - contents.now()

    # The dict interface

    def __getitem__(self, key: str) -> Any:
        item = self._contents.find(self._name, key)
        if item is None:
            raise KeyError(key)
        return item.thaw()

    def __setitem__(self, key: str, value: Any) -> None:
        self._contents.put(self._name, key, value)

    def __delitem__(self, key: str) -> None:
        if not self._contents.remove(self._name, key):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._contents.find(self._name, key) is not None

    def __iter__(self) -> Iterator[str]:
        return iter([key for key, _ in self._contents.snapshot(self._name)])

    def __len__(self) -> int:
        return self._contents.count(self._name)

    def __repr__(self) -> str:
        # The values may be secret.
        return f"<memory of {self._name}>"

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or ``default``."""
        item = self._contents.find(self._name, key)
        return default if item is None else item.thaw()

    def items(self) -> ItemsView[str, Any]:
        """Keys and values. Iteration works on a snapshot."""
        return _Items(self)

    def values(self) -> ValuesView[Any]:
        """The values. Iteration works on a snapshot."""
        return _Values(self)

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Remove ``key`` and return its value; ``default``, or KeyError, if it is missing."""
        with self._contents.lock:
            item = self._contents.find(self._name, key)
            if item is not None:
                del self[key]
            elif default is _MISSING:
                raise KeyError(key)
        return default if item is None else item.thaw()

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the newest key and its value. Raises KeyError if empty."""
        with self._contents.lock:
            pairs = self._contents.snapshot(self._name)
            if not pairs:
                raise KeyError("nothing is remembered")
            key, item = pairs[-1]
            del self[key]
        return key, item.thaw()

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of ``key``; sets it to ``default`` first if it is missing."""
        with self._contents.lock:
            if self._contents.find(self._name, key) is None:
                self[key] = default
            return self[key]

    def clear(self) -> None:
        """Remove all keys."""
        with self._contents.lock:
            for key in self:
                del self[key]


class _Items(ItemsView[str, Any]):
    _mapping: Memory

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        memory = self._mapping
        for key, item in memory._contents.snapshot(memory._name):
            yield key, item.thaw()


class _Values(ValuesView[Any]):
    _mapping: Memory

    def __iter__(self) -> Iterator[Any]:
        memory = self._mapping
        for _, item in memory._contents.snapshot(memory._name):
            yield item.thaw()


def _seconds(ttl: float | None) -> float | None:
    if ttl is None:
        return None
    if isinstance(ttl, bool) or not isinstance(ttl, int | float):
        raise TypeError(f"ttl is a number of seconds, not a value of type {_type(ttl)}")
    if not (ttl > 0 and math.isfinite(ttl)):
        raise ValueError(f"ttl is a number of seconds, more than nothing, not {ttl}")
    return float(ttl)


def _type(value: object) -> str:
    return type(value).__name__
