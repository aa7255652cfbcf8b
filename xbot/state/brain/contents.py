"""The brain's in-memory store: namespaces of keys, with size limits, expiry and change tracking.

One lock guards it. No thread holds the lock while it waits for a disk, so that the
reactor and any thread may use the store at any time.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from attrs import Factory, define

from xbot.state.brain.errors import BrainFull, BrainNotOpen
from xbot.state.brain.values import frozen as encoded
from xbot.state.brain.values import is_immutable, thawed

#: The address of a value: its namespace and its key.
Place = tuple[str, str]

NOT_OPENED = "the brain is opened when the bot starts, after its responders were loaded"


class Bounds(NamedTuple):
    """Limits: keys, and bytes of keys and values as JSON; per namespace, and in all."""

    keys: int = 10_000
    size: int = 4 * 1024 * 1024
    keys_in_all: int = 50_000
    size_in_all: int = 16 * 1024 * 1024


@define(eq=False, repr=False)
class Item:
    """One stored value: its JSON ``text``, ``value`` itself if it is immutable, and its expiry.

    ``expires`` is in seconds of :meth:`Contents.now`, or None. ``number`` is its place in
    the insertion order. ``size`` is in bytes of key and JSON.
    """

    text: str
    value: Any
    expires: float | None
    number: int
    size: int

    def thaw(self) -> Any:
        """The value; a new copy if it is mutable."""
        return thawed(self.text) if self.value is _NESTED else self.value


class Row(NamedTuple):
    """One value as the file stores it."""

    namespace: str
    key: str
    text: str
    expires: float | None
    number: int


@define(eq=False, repr=False)
class _Space:
    """One namespace. ``expiring`` is a heap of (expires, key), which may hold stale pairs."""

    items: dict[str, Item] = Factory(dict)
    size: int = 0
    expiring: list[tuple[float, str]] = Factory(list)


# Stands for a mutable value, of which only the JSON is stored.
_NESTED = object()


class Contents:
    """Namespaces of items, and the set of places that are not saved yet.

    ``uptime`` is a monotonic clock in seconds. ``changed()`` is called when the first
    unsaved change arises, in the thread that made it, under the lock.
    """

    def __init__(
        self,
        uptime: Callable[[], float],
        changed: Callable[[], None] = lambda: None,
        bounds: Bounds | None = None,
    ) -> None:
        self.lock = threading.RLock()
        #: Why the store cannot be used now; None while it can.
        self.closed: str | None = NOT_OPENED
        self._uptime = uptime
        self._changed = changed
        self._bounds = bounds or Bounds()
        self._base = 0.0
        self._spaces: dict[str, _Space] = {}
        self._keys = 0
        self._size = 0
        self._last_number = 0
        # Places to save, each with the number of its first unsaved change, in that order.
        self._unsaved: dict[Place, int] = {}
        self._last_change = 0

    # Reading

    def now(self) -> float:
        """The present time on the brain's own clock, in seconds; expiry is measured by it."""
        return self._base + self._uptime()

    def find(self, namespace: str, key: str) -> Item | None:
        """The item at ``key``, or None."""
        with self.lock:
            space = self._space(namespace)
            return space.items.get(key) if space is not None else None

    def snapshot(self, namespace: str) -> list[tuple[str, Item]]:
        """All keys and items of a namespace, in insertion order."""
        with self.lock:
            space = self._space(namespace)
            return list(space.items.items()) if space is not None else []

    def count(self, namespace: str) -> int:
        with self.lock:
            space = self._space(namespace)
            return len(space.items) if space is not None else 0

    def rows(self, places: Iterable[Place]) -> tuple[list[Row], list[Place]]:
        """The rows at ``places``, and those of the places that hold no value."""
        found, gone = [], []
        with self.lock:
            for namespace, key in places:
                space = self._spaces.get(namespace)
                item = space.items.get(key) if space is not None else None
                if item is None:
                    gone.append((namespace, key))
                else:
                    found.append(Row(namespace, key, item.text, item.expires, item.number))
        return found, gone

    def all_places(self) -> list[Place]:
        with self.lock:
            return [(name, key) for name, space in self._spaces.items() for key in space.items]

    # Changing

    def put(self, namespace: str, key: str, value: Any, ttl: float | None = None) -> None:
        """Store a copy of ``value``, for ``ttl`` seconds or without expiry.

        :raises BrainFull: when a limit is reached; nothing has changed then.
        """
        if type(key) is not str:
            raise TypeError(f"a key is a str, not {type(key).__name__}")
        text = encoded(value)
        size = len(text) + _length(key)
        kept = value if is_immutable(value) else _NESTED
        with self.lock:
            space = self._space(namespace)
            before = space.items.get(key) if space is not None else None
            self._make_room(namespace, key, size, before)
            number = before.number if before is not None else self._next_number()
            expires = None if ttl is None else self.now() + ttl
            self._set(namespace, key, Item(text, kept, expires, number, size))
            self._got_change(namespace, key)

    def add(self, namespace: str, key: str, by: int, ttl: float | None) -> int:
        """Add ``by`` to a counter and return the sum; ``ttl`` applies only to a new counter."""
        with self.lock:
            item = self.find(namespace, key)
            if item is None:
                self.put(namespace, key, by, ttl)
                return by
            if type(item.value) is not int:
                raise TypeError(f"{key!r} is no counter: something else is remembered there")
            count = item.value + by
            self.put(namespace, key, count)
            if item.expires is not None:
                # Keep the expiry of the existing counter.
                self._expire_at(namespace, key, item.expires)
            return count

    def remove(self, namespace: str, key: str) -> bool:
        """Delete ``key``; return whether it existed."""
        with self.lock:
            space = self._space(namespace)
            if space is None or key not in space.items:
                return False
            self._drop(namespace, space, key)
            self._got_change(namespace, key)
            return True

    # Saving

    @property
    def is_unsaved(self) -> bool:
        """Whether there are unsaved changes, besides those taken by :meth:`take_unsaved`."""
        return bool(self._unsaved)

    @property
    def last_change(self) -> int:
        """The number of the last change."""
        return self._last_change

    def first_unsaved(self) -> int | None:
        """The number of the oldest unsaved change that was not taken; None if there is none."""
        with self.lock:
            return next(iter(self._unsaved.values()), None)

    def unsaved(self) -> list[Place]:
        """The places to save that were not taken."""
        with self.lock:
            return list(self._unsaved)

    def take_unsaved(self, most: int) -> dict[Place, int]:
        """Take the first ``most`` places to save. Save them, or :meth:`give_back`."""
        with self.lock:
            if len(self._unsaved) <= most:
                taken, self._unsaved = self._unsaved, {}
            else:
                taken = dict(islice(self._unsaved.items(), most))
                for place in taken:
                    del self._unsaved[place]
            return taken

    def give_back(self, taken: dict[Place, int]) -> None:
        """Mark taken places as unsaved again: saving them failed."""
        with self.lock:
            self._unsaved = {**self._unsaved, **taken}
            self._unsaved = dict(sorted(self._unsaved.items(), key=lambda pair: pair[1]))

    def adopt(self, rows: Sequence[Row], now: float, but: Iterable[Place] = ()) -> int:
        """Load ``rows`` from a file; return how many are invalid.

        Sets the brain's own clock to ``now``. Values that are in memory already, and the
        places ``but``, are newer and stay. Size limits do not apply.
        """
        unreadable = 0
        with self.lock:
            self._shift(now - self.now())
            ours = {*self._unsaved, *but, *self.all_places()}
            for row in rows:
                self._last_number = max(self._last_number, row.number)
                is_over = row.expires is not None and row.expires <= now
                if is_over or (row.namespace, row.key) in ours:
                    continue
                try:
                    value = thawed(row.text)
                    # People edit the file: their text may hold lone surrogates, which could
                    # not be written back.
                    text = row.text if row.text.isascii() else encoded(value)
                    size = len(text) + _length(row.key)
                    _length(row.namespace)
                except (ValueError, TypeError):
                    unreadable += 1
                    continue
                kept = value if is_immutable(value) else _NESTED
                item = Item(text, kept, row.expires, row.number, size)
                self._set(row.namespace, row.key, item)
        return unreadable

    # Inside, under the lock

    def _space(self, namespace: str) -> _Space | None:
        """The namespace, after expired keys were removed; None if it is empty."""
        if self.closed is not None:
            raise BrainNotOpen(self.closed)
        space = self._spaces.get(namespace)
        if space is not None and space.expiring:
            self._sweep(namespace, space)
        return space

    def _sweep(self, namespace: str, space: _Space) -> None:
        now = self.now()
        heap = space.expiring
        while heap and heap[0][0] <= now:
            expires, key = heapq.heappop(heap)
            item = space.items.get(key)
            if item is not None and item.expires == expires:
                # No change to save: the file deletes expired rows by itself.
                self._drop(namespace, space, key)

    def _make_room(self, namespace: str, key: str, size: int, before: Item | None) -> None:
        more_keys = 1 if before is None else 0
        more = size if before is None else size - before.size
        problem = self._too_much(namespace, more_keys, more)
        if problem is not None:
            for name, space in list(self._spaces.items()):
                self._sweep(name, space)
            problem = self._too_much(namespace, more_keys, more)
        if problem is not None:
            raise BrainFull(namespace, key, problem)

    def _too_much(self, namespace: str, more_keys: int, more: int) -> str | None:
        bounds, space = self._bounds, self._spaces.get(namespace)
        keys, size = (len(space.items), space.size) if space is not None else (0, 0)
        if more_keys and keys >= bounds.keys:
            return f"{bounds.keys} keys are the most that one responder may have"
        if more > 0 and size + more > bounds.size:
            return f"{bounds.size} bytes are the most that one responder may have"
        if more_keys and self._keys >= bounds.keys_in_all:
            return f"{bounds.keys_in_all} keys are the most that all of them may have"
        if more > 0 and self._size + more > bounds.size_in_all:
            return f"{bounds.size_in_all} bytes are the most that all of them may have"
        return None

    def _set(self, namespace: str, key: str, item: Item) -> None:
        space = self._spaces.get(namespace)
        if space is None:
            space = self._spaces[namespace] = _Space()
        before = space.items.get(key)
        if before is None:
            self._keys += 1
            grown = item.size
        else:
            grown = item.size - before.size
        space.items[key] = item
        space.size += grown
        self._size += grown
        if item.expires is not None:
            self._will_expire(space, key, item.expires)

    def _will_expire(self, space: _Space, key: str, expires: float) -> None:
        heapq.heappush(space.expiring, (expires, key))
        if len(space.expiring) > 2 * len(space.items) + 64:
            self._build_heap(space)

    def _build_heap(self, space: _Space) -> None:
        space.expiring = [
            (item.expires, key) for key, item in space.items.items() if item.expires is not None
        ]
        heapq.heapify(space.expiring)

    def _expire_at(self, namespace: str, key: str, expires: float) -> None:
        space = self._spaces[namespace]
        space.items[key].expires = expires
        self._will_expire(space, key, expires)

    def _drop(self, namespace: str, space: _Space, key: str) -> None:
        item = space.items.pop(key)
        space.size -= item.size
        self._size -= item.size
        self._keys -= 1
        if not space.items:
            self._spaces.pop(namespace, None)

    def _shift(self, seconds: float) -> None:
        self._base += seconds
        for space in self._spaces.values():
            for item in space.items.values():
                if item.expires is not None:
                    item.expires += seconds
            self._build_heap(space)

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _got_change(self, namespace: str, key: str) -> None:
        self._last_change += 1
        is_first = not self._unsaved
        self._unsaved.setdefault((namespace, key), self._last_change)
        if is_first:
            self._changed()


def _length(key: str) -> int:
    """Length of ``key`` in bytes of UTF-8. Raises ValueError for a lone surrogate."""
    if key.isascii():
        return len(key)
    try:
        return len(key.encode())
    except UnicodeEncodeError:
        raise ValueError("a key must be text that can be written as UTF-8") from None
