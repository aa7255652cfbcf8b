"""Tests in the style of unittest, and of trial: ``python -m unittest`` runs them."""

import unittest
from pathlib import Path

from ourbots import deploy

from xbot.testing import Bot, NotAnswered

ALICE = "alice@example.org"
OPS = "ops@conference.example.org"
INI = Path(__file__).parent.parent / "xbot.ini"


class DeployTests(unittest.TestCase):
    """The responder alone, with the options that a test gives it."""

    def setUp(self) -> None:
        self.bot = Bot([deploy], allow=ALICE)

    def test_where_it_goes(self) -> None:
        self.bot.check("deploy web", "web is on staging", sender=ALICE)
        self.bot.check("deploy web to production", "web is on production", sender=ALICE)
        self.bot.check("where is web", "web is on production", sender=ALICE)

    def test_it_is_remembered(self) -> None:
        self.bot.say("deploy web", sender=ALICE)
        self.assertEqual(self.bot.brain.namespace("deploy")["web"], "staging")

    def test_it_is_journalled(self) -> None:
        self.bot.say("deploy web", sender=ALICE)
        self.bot.say("where is web", sender=ALICE)
        entries = self.bot.journal.entries.values()
        self.assertEqual([entry.message.body for entry in entries], ["deploy web"])

    def test_not_for_everyone(self) -> None:
        self.assertEqual(self.bot.say("deploy web"), ["deploy is not for you, someone."])

    def test_a_nick_has_no_rights(self) -> None:
        said = self.bot.say("xbot: deploy web", sender=None, room=OPS, nick="alice")
        self.assertIn("I cannot see here who you are", said[0])

    def test_examples(self) -> None:
        self.bot.check_examples(sender=ALICE)


class WholeBotTests(unittest.TestCase):
    """The bot of our ini."""

    def test_rooms(self) -> None:
        bot = Bot.from_ini(INI)
        bot.check("xbot: motto", "Be nice, al.", sender=ALICE, room=OPS, nick="al")
        with self.assertRaises(NotAnswered):
            bot.check("xbot: whoami", "You", room="lounge@conference.example.org")

    def test_every_example(self) -> None:
        tried = Bot.from_ini(INI).check_examples(sender="bob@example.org")
        self.assertIn("deploy web to production", tried)


if __name__ == "__main__":
    unittest.main()
