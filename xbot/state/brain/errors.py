"""Errors of the brain."""

from __future__ import annotations

from xbot.model.errors import XbotError


class BrainFull(XbotError):
    """The brain's limits on keys or bytes are reached. Delete keys, or set a time to live (ttl)."""

    def __init__(self, namespace: str, key: str, reason: str) -> None:
        super().__init__(f"{namespace} cannot remember {_short(key)}: {reason}")
        self.namespace = namespace
        self.key = key
        self.reason = reason


class BrainNotOpen(XbotError):
    """The brain was used before the bot started, or after it stopped.

    Use it in ``start``, in runs and in timers, not while the responder is loaded.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"nothing can be remembered: {reason}")
        self.reason = reason


def _short(key: str) -> str:
    return repr(key if len(key) <= 40 else key[:40] + "...")
