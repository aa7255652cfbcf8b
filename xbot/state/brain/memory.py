"""One responder's memory, as it sees it."""

from __future__ import annotations

import math
from collections.abc import ItemsView, Iterator, MutableMapping, ValuesView
from typing import Any, TypeVar

from xbot.state.brain.contents import Contents

T = TypeVar("T")
_MISSING = object()


class Memory(MutableMapping[str, Any]):
    """What one responder remembers: like a dict, and still there after a restart.

    Keys are str. Values are what JSON knows: None, bool, int, float, str, and
    lists and dicts (with str keys) of them. Anything else is a TypeError, nan
    and inf are a ValueError.

    **Values are copies**, both what is remembered and what is handed out. A
    list that was got and appended to changes nothing until it is set again::

        names = memory.get("names", [])
        names.append("ada")
        memory["names"] = names

    It can be used from coroutines on the reactor and from threads; every call
    is done at once, in memory, and none waits for a disk. One call is atomic;
    between two, others may come. So count with :meth:`increment`, which is one.
    Iterating goes over what is there when it begins, in the order in which the
    keys came, whatever is changed meanwhile.

    There is room for 10,000 keys and 4 MiB (as JSON) in each memory, and for
    50,000 keys and 16 MiB in all of a bot's; more is
    :class:`~xbot.state.brain.errors.BrainFull`, and nothing is changed by it. Before
    the bot has started (while responders are loaded) and after it has stopped,
    any use is :class:`~xbot.state.brain.errors.BrainNotOpen`.
    """

    __slots__ = ("_contents", "_name")

    def __init__(self, contents: Contents, name: str) -> None:
        self._contents = contents
        self._name = name

    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Remember ``value``, for ``ttl`` seconds, or for good.

        Setting it again without ``ttl`` keeps it for good. The time counts while
        the bot is down, too, and not when the machine's clock is changed; see
        :func:`xbot.state.brain.lasting.elapsed` for the one doubt: from one boot to the
        next the wall clock is asked, and is not believed when it goes backwards or
        more than a year ahead.
        """
        self._contents.put(self._name, key, value, _seconds(ttl))

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """Count: the number that is remembered, which is 0 where nothing is, and ``by``.

        A count that begins lasts for ``ttl`` seconds, or for good; one that goes
        on ends when it would have. So ``increment(nick, ttl=60)`` counts by minute.
        Raises TypeError where something else than an int is remembered.
        """
        if type(by) is not int:
            raise TypeError(f"a count goes on by an int, not by a value of type {_type(by)}")
        return self._contents.add(self._name, key, by, _seconds(ttl))

    def time_left(self, key: str) -> float | None:
        """Seconds until it is forgotten; None where that is never. Raises KeyError."""
        contents = self._contents
        with contents.lock:
            item = contents.find(self._name, key)
            if item is None:
                raise KeyError(key)
            return None if item.expires is None else item.expires - contents.now()

    # What a dict does.

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
        # What is remembered may be anyone's secret.
        return f"<memory of {self._name}>"

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or ``default``."""
        item = self._contents.find(self._name, key)
        return default if item is None else item.thaw()

    def items(self) -> ItemsView[str, Any]:
        """Keys and values; all of what is there when going over them begins."""
        return _Items(self)

    def values(self) -> ValuesView[Any]:
        """The values; all of what is there when going over them begins."""
        return _Values(self)

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Forget it and give its value; ``default``, or KeyError, where nothing is."""
        with self._contents.lock:
            item = self._contents.find(self._name, key)
            if item is not None:
                del self[key]
            elif default is _MISSING:
                raise KeyError(key)
        return default if item is None else item.thaw()

    def popitem(self) -> tuple[str, Any]:
        """Forget the newest key, and give it and its value. Raises KeyError when there is none."""
        with self._contents.lock:
            pairs = self._contents.snapshot(self._name)
            if not pairs:
                raise KeyError("nothing is remembered")
            key, item = pairs[-1]
            del self[key]
        return key, item.thaw()

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value; where nothing is, ``default`` from now on."""
        with self._contents.lock:
            if self._contents.find(self._name, key) is None:
                self[key] = default
            return self[key]

    def clear(self) -> None:
        """Forget everything."""
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
