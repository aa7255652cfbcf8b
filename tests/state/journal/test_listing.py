"""Tests of :mod:`xbot.state.journal.listing`."""

from __future__ import annotations

import json

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from xbot.model.journal_entry import Entry
from xbot.model.message import Message
from xbot.state.journal.listing import as_json, as_table

PUBLIC = Message("r@x/al", "r@x/b", "deploy web", {"type": "groupchat"}, "r@x", "al", "al@y")
ENTRIES = [
    Entry(1, PUBLIC, "deploy", 0.0, 2.5, "answered"),
    Entry(2, Message("al@y/z", "b@y", "go", {"type": "chat"}), "go", 0.0),
    Entry(3, evolve(PUBLIC, payload={}, identity=None), "go", 9.0, 1.0, "failed"),
]


class ListingTests(SynchronousTestCase):
    def test_table(self) -> None:
        """One aligned line for each: when, how long, outcome, which, who, where, what."""
        title, *lines = as_table(ENTRIES).splitlines()
        self.assertEqual(lines[0].index("r@x"), title.index("where"))
        self.assertEqual(
            [line.split("  ", 1)[1].split() for line in lines],
            [
                ["2.5s", "answered", "deploy", "al", "(al@y)", "r@x", "deploy", "web"],
                ["unfinished", "go", "al@y/z", "in", "private", "go"],
                ["0s", "failed", "go", "al", "in", "private", "through", "r@x", "deploy", "web"],
            ],
        )

    def test_nothing(self) -> None:
        """An empty journal is said to be one."""
        self.assertEqual(as_table([]), "nothing was journalled yet\n")

    def test_hostile(self) -> None:
        """What people said can neither steer the terminal nor forge a line."""
        message = evolve(PUBLIC, body="a\n2026\x1b[2J\u202e\x85\ud800", nick="\x1b]0;x\x07")
        text = as_table([Entry(1, message, "x", 0.0)])
        self.assertEqual(text.count("\n"), 2)
        self.assertTrue(all(c.isprintable() or c == "\n" for c in text), repr(text))
        self.assertIn(r"a\n2026\x1b[2J\u202e\x85\ud800", text)

    def test_json(self) -> None:
        """Each line is one object, in ASCII."""
        first, second, _ = [json.loads(line) for line in as_json(ENTRIES).splitlines()]
        self.assertEqual(first["outcome"], "answered")
        self.assertEqual((second["sender"], second["ended"]), ("al@y/z", None))
        strange = as_json([Entry(1, evolve(PUBLIC, body="\n\x1b\u202e"), "x", 0.0)])
        self.assertTrue(strange.isascii())
        self.assertEqual(strange.count("\n"), 1)
