"""Which messages were seen a moment ago."""

from __future__ import annotations

from collections import OrderedDict

#: So many keys are remembered. A server sends again what it has no
#: acknowledgement of, which is far less.
MAX_KEYS = 4096


class RecentKeys:
    """A bounded window of keys; the oldest are forgotten first."""

    def __init__(self, limit: int = MAX_KEYS) -> None:
        self._limit = limit
        self._keys: OrderedDict[str, None] = OrderedDict()

    def add(self, key: str) -> bool:
        """Remember ``key``; whether it was new."""
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > self._limit:
            self._keys.popitem(last=False)
        return True
