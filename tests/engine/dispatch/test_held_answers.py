"""Tests of :mod:`xbot.engine.dispatch.held_answers`."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from xbot.engine.dispatch.held_answers import NOT_SAVED, HeldAnswers
from xbot.model.message import Message


class HeldTests(TestCase):
    def setUp(self) -> None:
        self.said: list[str] = []
        self.saving: list[Deferred[str] | None] = []
        self.held = HeldAnswers(lambda message: self.said.append(message.body), self.saved)

    def saved(self) -> Deferred[str] | None:
        return self.saving[-1] if self.saving else None

    def say(self, text: str) -> None:
        self.held.say(Message("a", "b", text))

    def test_nothing_to_wait_for(self) -> None:
        """What has nothing to wait for is said at once."""
        self.say("a")
        self.assertEqual(self.said, ["a"])
        self.successResultOf(self.held.emptied())

    def test_order(self) -> None:
        """Each waits for what was remembered before it, and for all that was said before."""
        first: Deferred[str] = Deferred()
        second: Deferred[str] = Deferred()
        self.saving.append(first)
        self.say("a")
        self.saving.append(second)
        self.say("b")
        self.saving.append(None)
        self.say("c")
        emptied = self.held.emptied()
        first.callback("")
        self.assertEqual(self.said, ["a"])
        self.assertNoResult(emptied)
        second.callback("")
        self.assertEqual(self.said, ["a", "b", "c"])
        self.successResultOf(emptied)

    def test_in_vain(self) -> None:
        """What could not be saved is said all the same, with one word about that."""
        first: Deferred[str] = Deferred()
        self.saving.append(first)
        self.say("a")
        self.saving.append(Deferred())
        self.say("b")
        first.callback("no space")
        assert self.saving[-1] is not None
        self.saving[-1].callback("no space")
        self.assertEqual(self.said, ["a", NOT_SAVED, "b"])
