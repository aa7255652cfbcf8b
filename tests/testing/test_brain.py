"""Tests of :mod:`xbot.testing.brain`: the contract, and simulated disk failures."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.state.brain.contract import BrainReactor, Contract
from xbot.model.file_state import FileUnavailable
from xbot.testing.brain import MemoryBrain


class MemoryBrainTests(Contract, SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = BrainReactor()

    def make(self, **options: Any) -> MemoryBrain:
        return MemoryBrain(self.clock.seconds, **options)

    def restarted(self, brain: MemoryBrain) -> MemoryBrain:
        return brain.restarted()

    def test_failing(self) -> None:
        """Its disk fails when a test says so; what is remembered stays."""
        brain = self.make()
        brain.problem = "no room"
        self.successResultOf(brain.flushed())
        brain.namespace("a")["x"] = 1
        self.failureResultOf(brain.flushed(), FileUnavailable)
        self.assertEqual((brain.namespace("a")["x"], str(brain.state)), (1, "no room"))
        brain.problem = None
        self.successResultOf(brain.flushed())

    def test_apart(self) -> None:
        """The next process's brain has a memory of its own."""
        brain = self.make()
        brain.namespace("a")["x"] = 1
        again = brain.restarted()
        again.namespace("a")["x"] = 2
        self.assertEqual(brain.namespace("a")["x"], 1)
