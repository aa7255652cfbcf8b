"""Which messages are not known to be on the disk yet, and who waits for them."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, DeferredList


class Durability:
    """Messages by their keys, for as long as it is not decided what becomes of them."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Deferred[None]]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._waiting

    def until(self, decided: Sequence[Deferred[None]], key: str) -> Deferred[None]:
        """Fires once all of these have, as does :meth:`wait` of this key; they never fail."""
        safe = self.wait(key)
        DeferredList(decided).addCallback(self._got_safe, key)
        return safe

    def wait(self, key: str) -> Deferred[None]:
        """Fires once the message of this key is safe."""
        waiting: Deferred[None] = Deferred()
        self._waiting.setdefault(key, []).append(waiting)
        return waiting

    def _got_safe(self, _: object, key: str) -> None:
        for waiting in self._waiting.pop(key, ()):
            waiting.callback(None)
