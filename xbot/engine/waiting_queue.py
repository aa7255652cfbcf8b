"""FIFO queue of the messages to one place, with its size in bytes and the age of each message."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from xbot.model.message import Message


class WaitingQueue(deque[Message]):
    """A deque of messages. ``weigh(message)`` gives its size, ``seconds()`` the time.

    A message inserted before others counts as old as the one behind it.
    """

    def __init__(self, weigh: Callable[[Message], int], seconds: Callable[[], float]) -> None:
        super().__init__()
        self.size = 0
        self._weigh = weigh
        self._seconds = seconds
        # When each message was queued, in the same order.
        self._since: deque[float] = deque()

    def since_of(self, index: int) -> float:
        """When the message at ``index`` was queued."""
        return self._since[index]

    def append(self, message: Message) -> None:
        """Put ``message`` at the end."""
        self.insert(len(self), message)

    def appendleft(self, message: Message) -> None:
        """Put ``message`` at the front."""
        self.insert(0, message)

    def insert(self, index: int, message: Message, since: float | None = None) -> None:
        """Put ``message`` before the one at ``index``; ``since`` is when it was queued first."""
        if since is None:
            since = self._seconds() if index >= len(self) else self._since[index]
        super().insert(index, message)
        self._since.insert(index, since)
        self.size += self._weigh(message)

    def popleft(self) -> Message:
        """Remove and return the first message."""
        message = super().popleft()
        self._since.popleft()
        self.size -= self._weigh(message)
        return message

    def __delitem__(self, index: Any) -> None:
        """Remove the message at ``index``."""
        message = self[index]
        super().__delitem__(index)
        del self._since[index]
        self.size -= self._weigh(message)
