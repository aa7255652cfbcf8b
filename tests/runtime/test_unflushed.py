"""Tests of :mod:`xbot.runtime.unflushed`."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from xbot.runtime.unflushed import Unflushed


class UnsavedTests(TestCase):
    def test_changed_meanwhile(self) -> None:
        """What is changed while the rest is saved is not saved with it."""
        flushing: list[Deferred[None]] = []

        def flushed() -> Deferred[None]:
            flushing.append(Deferred())
            return flushing[-1]

        unsaved = Unflushed("tea", flushed)
        self.assertFalse(unsaved)
        self.assertIsNone(unsaved.saved())
        unsaved.got_write()
        first = unsaved.saved()
        unsaved.got_write()
        second = unsaved.saved()
        assert first is not None and second is not None
        flushing[0].callback(None)
        self.assertEqual(self.successResultOf(first), "")
        self.assertTrue(unsaved)
        self.assertNoResult(second)
        flushing[1].callback(None)
        self.assertEqual(self.successResultOf(second), "")
        self.assertFalse(unsaved)

    def test_not_saved(self) -> None:
        """What cannot be saved is told once, in the log too."""
        events = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        unsaved = Unflushed("tea", lambda: fail(OSError("no space")))
        unsaved.got_write()
        saved = unsaved.saved()
        assert saved is not None
        self.assertEqual(self.successResultOf(saved), "no space")
        self.assertIsNone(unsaved.saved())
        told = [each for each in events if "is not saved" in (each.get("log_format") or "")]
        self.assertEqual([each["responder"] for each in told], ["tea"])
