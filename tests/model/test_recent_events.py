"""Tests of :mod:`xbot.model.recent_events`."""

from twisted.trial import unittest

from xbot.app.status_report import command
from xbot.engine.dispatch.runs import Run
from xbot.matching.pattern import Pattern
from xbot.model.message import Message
from xbot.model.recent_events import MAX_CHANGES, MAX_COMMANDS, MAX_NAME, Change, RecentEvents
from xbot.runtime.responder import Responder, Route


class RecentTests(unittest.TestCase):
    def test_bounded(self):
        """So much is remembered, and no name is long."""
        route = Route(Pattern.match("x"), lambda message, groups: None)
        message = Message("s", "r", "x", room="w" * 5000, nick="n" * 5000)
        run = Run(Responder("x", (route,)), route, message, {}, fate="answered")
        recent = RecentEvents()
        for number in range(1000):
            recent.commands.append(command(run, number, number))
            recent.changes.append(Change(number, "online"))
        self.assertEqual((len(recent.commands), len(recent.changes)), (MAX_COMMANDS, MAX_CHANGES))
        self.assertEqual((recent.commands[-1].when, recent.changes[-1].when), (999, 999))
        self.assertEqual(len(recent.commands[0].who + recent.commands[0].where), 2 * MAX_NAME)
