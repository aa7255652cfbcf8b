"""Fallbacks are asked one after the other, until one says something."""

from __future__ import annotations

from xbot.engine.dispatch.runs import Run
from xbot.model.message import Message
from xbot.runtime.responder import Chosen

#: What lets the next one be asked.
_SAID_NOTHING = ("silent", "denied")


class Fallbacks:
    """Knows, of each message that a fallback is asked about, who comes next."""

    def __init__(self) -> None:
        self._next: dict[str, list[Chosen]] = {}

    def __len__(self) -> int:
        return len(self._next)

    def first(self, chosen: list[Chosen], message: Message) -> Run:
        """A run of the first of these; the others wait for :meth:`after` it."""
        (responder, route, groups), *others = chosen
        assert message.key is not None
        self._next[message.key] = others
        return Run(responder, route, message, groups)

    def after(self, run: Run) -> Run | None:
        """A run of whoever comes next now that ``run`` is over, if anybody does."""
        if run.route.pattern is not None or run.message.key is None:
            return None
        others = self._next.pop(run.message.key, [])
        if not others or run.fate not in _SAID_NOTHING:
            return None
        return self.first(others, run.message)

    def forget(self, message: Message) -> None:
        """Nobody else is asked about this."""
        if message.key is not None:
            self._next.pop(message.key, None)
