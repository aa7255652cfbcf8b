"""The environment of responders in a test: a clock, a list of sent messages, a brain in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from xbot.model.message import Message
from xbot.process.threads import RunsInThread
from xbot.runtime.environment import Environment
from xbot.testing.brain import MemoryBrain
from xbot.testing.clock import TestClock
from xbot.testing.threads import in_this_thread


@define(eq=False)
class FakeEnvironment:
    """The parts of an :class:`Environment` for a test; :meth:`environment` makes it.

    ``said`` collects the messages of the responder, ``rooms`` are bare addresses. ``people``
    are those to whom it may write; None for everyone.
    ``saving``, if set, is called instead of the brain's ``flushed``.
    """

    clock: Any = field(factory=TestClock)
    in_thread: RunsInThread = in_this_thread
    said: list[Message] = field(factory=list)
    brain: MemoryBrain = field(factory=MemoryBrain)
    rooms: set[str] = field(factory=set)
    people: set[str] | None = None
    saving: Callable[[], Deferred[None]] | None = None

    def environment(self) -> Environment:
        """The Environment, for :func:`xbot.engine.loading.loader.load_responders`."""
        return Environment(
            self.clock,
            self.in_thread,
            self.said.append,
            self.brain.namespace,
            lambda: (self.saving or self.brain.flushed)(),
            self.rooms.__contains__,
            lambda name, person: self.people is None or str(person.bare) in self.people,
            "xbot@example.org",
        )
