"""Messages not yet durable, and the Deferreds waiting for them."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, DeferredList


class Durability:
    """Tracks messages, by key, until each is journalled or will not run."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Deferred[None]]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._waiting

    def until(self, decided: Sequence[Deferred[None]], key: str) -> Deferred[None]:
        """Fires once all of ``decided`` have, as does :meth:`wait` for ``key``; never fails."""
        safe = self.wait(key)
        DeferredList(decided).addCallback(self._got_safe, key)
        return safe

    def wait(self, key: str) -> Deferred[None]:
        """Fires once the message with this key is durable."""
        waiting: Deferred[None] = Deferred()
        self._waiting.setdefault(key, []).append(waiting)
        return waiting

    def _got_safe(self, _: object, key: str) -> None:
        for waiting in self._waiting.pop(key, ()):
            waiting.callback(None)
