"""What a run says, in order, each thing once what the responder remembered before it is saved."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, evolve
from twisted.internet.defer import Deferred, succeed

from xbot.model.message import Message

#: Said once when what was remembered could not be saved.
NOT_SAVED = "What I remembered of this is not saved yet: it is lost if I am restarted now."


class HeldAnswers:
    """Hands messages on to ``say``.

    ``saved()`` is None when nothing has to be waited for; else it fires, with
    why it was in vain if it was, and never fails.
    """

    def __init__(
        self, say: Callable[[Message], object], saved: Callable[[], Deferred[str] | None]
    ) -> None:
        self._say = say
        self._saved = saved
        self._waiting: deque[_Unsaid] = deque()
        self._emptied: list[Deferred[None]] = []
        self._has_warned = False

    def say(self, message: Message) -> None:
        """Say this after all that was said before."""
        saved = self._saved()
        if saved is None and not self._waiting:
            self._say(message)
            return
        unsaid = _Unsaid(message)
        self._waiting.append(unsaid)
        (succeed("") if saved is None else saved).addCallback(self._got_saved, unsaid)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def emptied(self) -> Deferred[None]:
        """Fires once nothing waits."""
        if not self._waiting:
            return succeed(None)
        emptied: Deferred[None] = Deferred()
        self._emptied.append(emptied)
        return emptied

    def _got_saved(self, problem: str, unsaid: _Unsaid) -> None:
        unsaid.is_safe = True
        unsaid.has_problem = bool(problem)
        while self._waiting and self._waiting[0].is_safe:
            first = self._waiting.popleft()
            self._say(first.message)
            if first.has_problem and not self._has_warned:
                self._has_warned = True
                self._say(evolve(first.message, body=NOT_SAVED))
        if not self._waiting:
            emptied, self._emptied = self._emptied, []
            for each in emptied:
                each.callback(None)


@define(eq=False, repr=False)
class _Unsaid:
    message: Message
    is_safe: bool = False
    has_problem: bool = False
