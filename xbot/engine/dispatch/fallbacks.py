"""Fallback chain: fallbacks run one after the other until one says something."""

from __future__ import annotations

from xbot.engine.dispatch.runs import Run
from xbot.model.message import Message
from xbot.runtime.responder import Chosen

#: Fates of a run after which the next fallback runs.
_CONTINUE_AFTER = ("silent", "denied")


class Fallbacks:
    """The remaining fallbacks of each message, by message key."""

    def __init__(self) -> None:
        self._next: dict[str, list[Chosen]] = {}

    def __len__(self) -> int:
        return len(self._next)

    def first(self, chosen: list[Chosen], message: Message) -> Run:
        """A run of the first of ``chosen``; :meth:`after` gives the others."""
        (responder, route, groups), *others = chosen
        assert message.key is not None
        self._next[message.key] = others
        return Run(responder, route, message, groups)

    def after(self, run: Run) -> Run | None:
        """A run of the next fallback now that ``run`` is over; None if the chain ends."""
        if run.route.pattern is not None or run.message.key is None:
            return None
        others = self._next.pop(run.message.key, [])
        if not others or run.fate not in _CONTINUE_AFTER:
            return None
        return self.first(others, run.message)

    def forget(self, message: Message) -> None:
        """Drop the remaining fallbacks of ``message``."""
        if message.key is not None:
            self._next.pop(message.key, None)
