"""Tests of :mod:`xbot.engine.dispatch.interrupted`."""

from __future__ import annotations

import time
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from xbot.engine.dispatch.interrupted import MAX_NAMED, reports
from xbot.model.journal_entry import Entry
from xbot.model.message import Message

MESSAGE = Message("ops@r/al", "ops@r/xbot", "deploy web", {"type": "groupchat"}, "ops@r", "al")
NOON = time.mktime((2026, 11, 21, 12, 0, 0, 0, 0, -1))


def told(*entries: Entry) -> list[Any]:
    return list(reports(entries, NOON, lambda message: message.body))


class ReportsTests(SynchronousTestCase):
    def text(self, message: Message, accepted: float = NOON) -> str:
        (report,) = told(Entry(1, message, "deploy", accepted))
        text: str = report.message.body
        return text

    def test_text(self) -> None:
        """It names the command, who said it, and when, with a date if that was not today."""
        after = "was interrupted by a restart, or its answer was lost; say it again to run it again"
        self.assertEqual(self.text(MESSAGE), f'"deploy web" (al, 12:00) {after}')
        self.assertEqual(
            self.text(MESSAGE, NOON - 86400), f'"deploy web" (al, 2026-11-20 12:00) {after}'
        )

    def test_lapsed(self) -> None:
        """What only waited for a word is told as what it is: not run."""
        (report,) = told(Entry(1, MESSAGE, "deploy", NOON, outcome="lapsed"))
        self.assertEqual(
            report.message.body,
            '"deploy web" (al, 12:00) was not run: a restart came before it was confirmed or'
            " approved; say it again to run it",
        )

    def test_bounded(self) -> None:
        """However long and on however many lines it was said, the report is short, in one."""
        text = self.text(evolve(MESSAGE, body="a\nb\r\n\tc" + "x" * 500, nick="y" * 500))
        self.assertTrue(text.startswith('"a b cxxx'))
        self.assertLess(len(text), 250)
        self.assertNotIn("\n", text)

    def test_places(self) -> None:
        """A report goes to the room, or to whoever asked in private, by the right type."""
        direct = Message("al@example.org/x", "xbot@example.org", "go", {"type": "chat"})
        private = evolve(MESSAGE, payload={"type": "chat"})
        found = told(
            *(Entry(n, each, "x", NOON) for n, each in enumerate((MESSAGE, private, direct)))
        )
        self.assertEqual(
            [(each.message.recipient, each.message.payload["type"]) for each in found],
            [("ops@r", "groupchat"), ("ops@r/al", "chat"), ("al@example.org/x", "chat")],
        )
        self.assertNotIn("deploy", found[1].message.body)
        self.assertIn("(al, ", found[2].message.body)

    def test_private_through_a_room(self) -> None:
        """What was asked in private is told to that person only, not to whoever has the nick."""
        private = evolve(MESSAGE, payload={"type": "chat"}, identity="al@example.org")
        (known,) = told(Entry(1, private, "x", NOON))
        self.assertEqual(known.message.recipient, "al@example.org")
        self.assertIn('"deploy web"', known.message.body)

    def test_many(self) -> None:
        """In one place only some are named; the rest is counted, and all are told."""
        found = told(*(Entry(number, MESSAGE, "x", NOON) for number in range(MAX_NAMED + 3)))
        self.assertEqual(len(found), MAX_NAMED + 1)
        self.assertEqual(found[-1].message.body, "... and 3 more")
        numbers = [entry.number for each in found for entry in each.entries]
        self.assertEqual(numbers, list(range(MAX_NAMED + 3)))
