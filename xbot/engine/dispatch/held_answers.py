"""Hold answers back until the responder's memory is durable; FIFO order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, evolve
from twisted.internet.defer import Deferred, succeed

from xbot.model.message import Message

#: Said once per run when the memory could not be saved.
NOT_SAVED = "What I remembered of this is not saved yet: it is lost if I am restarted now."


class HeldAnswers:
    """A FIFO queue of messages in front of ``say``.

    ``saved()`` gives None when the memory is saved already; else a Deferred that
    fires with "" or the reason why saving failed, and never fails.
    """

    def __init__(
        self, say: Callable[[Message], object], saved: Callable[[], Deferred[str] | None]
    ) -> None:
        self._say = say
        self._saved = saved
        self._waiting: deque[_Held] = deque()
        self._emptied: list[Deferred[None]] = []
        self._has_warned = False

    def say(self, message: Message) -> None:
        """Say ``message`` after all earlier messages, once the memory is saved."""
        saved = self._saved()
        if saved is None and not self._waiting:
            self._say(message)
            return
        held = _Held(message)
        self._waiting.append(held)
        (succeed("") if saved is None else saved).addCallback(self._got_saved, held)

    @property
    def is_empty(self) -> bool:
        """Whether the queue is empty."""
        return not self._waiting

    def emptied(self) -> Deferred[None]:
        """Fires once the queue is empty."""
        if not self._waiting:
            return succeed(None)
        emptied: Deferred[None] = Deferred()
        self._emptied.append(emptied)
        return emptied

    def _got_saved(self, problem: str, held: _Held) -> None:
        """Send the head of the queue, as far as it is saved; warn once about a failure."""
        held.is_safe = True
        held.has_problem = bool(problem)
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
class _Held:
    """A message in the queue: whether saving is over, and whether it failed."""

    message: Message
    is_safe: bool = False
    has_problem: bool = False
