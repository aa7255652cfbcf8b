"""Deduplicate messages: a bounded window of the most recent message keys."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from twisted.logger import Logger

from xbot.model.message import Message

#: Maximum number of keys in the window. A server resends only unacknowledged
#: messages, which are far fewer.
MAX_KEYS = 4096

_log = Logger()


def log_reused_id(message: Message) -> None:
    """Log a duplicate that is not the server's resend (``message.live``)."""
    _log.info(
        "dropped, duplicate: from {sender}, with the message id of an earlier message",
        sender=message.sender,
    )


class RecentKeys:
    """A bounded set of keys in FIFO order: the oldest are evicted first.

    ``seconds`` is the clock by which keys age.
    """

    def __init__(self, limit: int = MAX_KEYS, seconds: Callable[[], float] = lambda: 0.0) -> None:
        self._limit = limit
        self._seconds = seconds
        # When each key was added.
        self._keys: OrderedDict[str, float] = OrderedDict()

    def add(self, key: str, lasts: float | None = None) -> bool:
        """Remember ``key``; return whether it was new.

        A key that was added more than ``lasts`` seconds ago counts as new; None: never.
        """
        now = self._seconds()
        added = self._keys.get(key)
        if added is not None:
            if lasts is None or now - added <= lasts:
                return False
            self._keys.move_to_end(key)
        self._keys[key] = now
        if len(self._keys) > self._limit:
            self._keys.popitem(last=False)
        return True
