"""What happened lately."""

from twisted.trial import unittest

from xbot.recent import MAX_CHANGES, MAX_COMMANDS, MAX_NAME, Change, Command, Recent


class RecentTests(unittest.TestCase):
    def test_bounded(self):
        """So much is remembered, and no name is long."""
        recent = Recent()
        for number in range(1000):
            recent.commands.append(Command(number, "x", "n" * 5000, "w" * 5000, "answered"))
            recent.changes.append(Change(number, "online"))
        self.assertEqual((len(recent.commands), len(recent.changes)), (MAX_COMMANDS, MAX_CHANGES))
        self.assertEqual((recent.commands[-1].when, recent.changes[-1].when), (999, 999))
        self.assertEqual(len(recent.commands[0].who + recent.commands[0].where), 2 * MAX_NAME)
