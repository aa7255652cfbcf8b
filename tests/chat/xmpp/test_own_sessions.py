"""Tests of :mod:`xbot.chat.xmpp.own_sessions`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.chat.xmpp.harness import JID, session
from xbot.chat.xmpp.own_sessions import MAX_SESSIONS, OwnSessions


class OwnSessionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.handler = OwnSessions(lambda: JID)
        self.peer = session(self.handler, clock=Clock())

    def told(self, resource: str = "phone", priority: str | None = None, kind: str = "") -> str:
        """What the log says of a presence of our own account, or of another one."""
        sender = resource if "@" in resource else f"{JID.bare}/{resource}"
        inner = f"<priority>{priority}</priority>" if priority is not None else ""
        kind = f" type='{kind}'" if kind else ""
        with capturedLogs() as events:
            self.peer.feed(f"<presence from='{sender}'{kind}>{inner}</presence>")
        return "\n".join(
            str(formatEvent(each)) for each in events if "own_sessions" in each["log_namespace"]
        )

    def test_priorities(self) -> None:
        """A session of our priority or a higher one is told, with what becomes of messages."""
        for priority, words in (
            ("5", "has the higher priority (5): private messages go to it, and not to us"),
            ("0", "has the same priority (0): private messages go to it, too, or to it alone"),
            (None, "has the same priority (0)"),
            ("much", "has the same priority (0)"),
        ):
            self.setUp()
            self.assertIn(
                f"another session of our account, phone, {words}", self.told(priority=priority)
            )
        self.assertEqual(self.told("tablet", "-1"), "")

    def test_once(self) -> None:
        """Each is told once, again when its priority changes, and its end is told."""
        self.assertIn("(0)", self.told())
        self.assertEqual(self.told(), "")
        self.assertIn("(7)", self.told(priority="7"))
        ended = "the other session phone of our account has ended"
        self.assertEqual(self.told(kind="unavailable"), ended)
        self.assertEqual(self.told(kind="unavailable"), "")
        self.assertIn("(0)", self.told())

    def test_others(self) -> None:
        """Our own presence, and that of other people, says nothing."""
        for resource in (str(JID.resource), "alice@example.org/phone", "@"):
            self.assertEqual(self.told(resource, "9"), "")
        self.assertEqual(self.told(kind="subscribe"), "")

    def test_bounded(self) -> None:
        """However many sessions there are, only so many are remembered."""
        for number in range(MAX_SESSIONS + 5):
            self.told(f"r{number}")
        self.assertEqual(len(self.handler._told), MAX_SESSIONS)
