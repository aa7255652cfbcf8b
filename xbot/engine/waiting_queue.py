"""A queue that knows its size in bytes and the age of its head: what waits for one place."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from xbot.model.message import Message


class Waiting(deque[Message]):
    """Messages in their order. ``weigh`` tells what one weighs, ``seconds`` the time.

    What is put before others counts as old as those: it was said before them.
    """

    def __init__(self, weigh: Callable[[Message], int], seconds: Callable[[], float]) -> None:
        super().__init__()
        self.size = 0
        self._weigh = weigh
        self._seconds = seconds
        # Of each message, in their order.
        self._since: deque[float] = deque()

    def since_of(self, index: int) -> float:
        """Since when the one at this index waits."""
        return self._since[index]

    def append(self, message: Message) -> None:
        """Behind all others."""
        self.insert(len(self), message)

    def appendleft(self, message: Message) -> None:
        """Before all others."""
        self.insert(0, message)

    def insert(self, index: int, message: Message) -> None:
        """Before the one that has this index."""
        is_last = index >= len(self)
        since = self._seconds() if is_last else self._since[index]
        super().insert(index, message)
        self._since.insert(index, since)
        self.size += self._weigh(message)

    def popleft(self) -> Message:
        """Take the first one."""
        message = super().popleft()
        self._since.popleft()
        self.size -= self._weigh(message)
        return message

    def __delitem__(self, index: Any) -> None:
        """Take one out of the middle."""
        message = self[index]
        super().__delitem__(index)
        del self._since[index]
        self.size -= self._weigh(message)
