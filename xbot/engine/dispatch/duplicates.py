"""Deduplicate messages: a bounded window of the most recent message keys."""

from __future__ import annotations

from collections import OrderedDict

#: Maximum number of keys in the window. A server resends only unacknowledged
#: messages, which are far fewer.
MAX_KEYS = 4096


class RecentKeys:
    """A bounded set of keys in FIFO order: the oldest are evicted first."""

    def __init__(self, limit: int = MAX_KEYS) -> None:
        self._limit = limit
        self._keys: OrderedDict[str, None] = OrderedDict()

    def add(self, key: str) -> bool:
        """Remember ``key``; return whether it was new."""
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > self._limit:
            self._keys.popitem(last=False)
        return True
