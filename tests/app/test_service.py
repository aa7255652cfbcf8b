"""Tests of :mod:`xbot.app.service`: making one bot, and its state folder."""

import os
from pathlib import Path

from twisted.logger import capturedLogs
from twisted.trial import unittest

from tests.chat.xmpp.harness import FakeEndpoint
from tests.state.brain.contract import BrainReactor
from tests.state.journal.test_journal import InTurn
from xbot.app import resources
from xbot.app.service import BotService
from xbot.chat.xmpp import network
from xbot.config import load
from xbot.model.errors import InvalidConfig
from xbot.state.brain.brain import FILE_NAME, Brain
from xbot.state.brain.errors import BrainNotOpen
from xbot.state.brain.file import read_content
from xbot.state.sqlite.file import take_lock


class ServiceTests(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.clock = BrainReactor()
        self.reasons = []
        self.path = self.folder / "state" / FILE_NAME
        self.patch(network, "make_endpoint", lambda *_: FakeEndpoint(self.clock))
        self.patch(resources, "Brain", lambda path, clock: Brain(path, clock, in_thread=InTurn()))

    def bot(self, more=""):
        ini = self.folder / "xbot.ini"
        ini.write_text(f"[xmpp]\njid = xbot@example.org\npassword = x\n{more}")
        ini.chmod(0o600)
        environ = {"PATH": "/usr/bin", "STATE_DIRECTORY": str(self.folder / "state")}
        return BotService(load(ini, environ), self.clock, self.reasons.append)

    def stop(self, bot):
        stopped = bot.stopService()
        self.clock.pump([0, 1])
        self.successResultOf(stopped)

    def test_old_log_names(self):
        """An old log namespace is told with its line, by ``xbot check`` and in the log."""
        bot = self.bot("[xbot]\nlog-level = info xbot.xmpp=debug\n")
        (remark,) = bot.remarks()
        self.assertEqual(
            str(remark),
            f"{self.folder}/xbot.ini:5: [xbot] log-level: xbot.xmpp is called xbot.chat.xmpp now;"
            " the old name will not be understood for ever",
        )
        with capturedLogs() as events:
            bot._warn()
        self.assertEqual([event["remark"] for event in events], [str(remark)])

    def test_bad_files(self):
        """A file of the account that is none is told when the bot is made, not when it connects."""
        self.assertRaises(InvalidConfig, self.bot, "ca-file = xbot.ini")

    def test_open_while_it_runs(self):
        """Responders can remember from the start to the stop, and the next bot knows it."""
        for count in (1, 2):
            bot = self.bot()
            memory = bot.brain.namespace("a")
            self.assertRaises(BrainNotOpen, memory.increment, "starts")
            bot.startService()
            self.assertEqual(memory.increment("starts"), count)
            self.stop(bot)
            self.assertRaises(BrainNotOpen, memory.increment, "starts")
            self.assertEqual(read_content(self.path).rows[0].text, str(count))

    def test_unused(self):
        """A bot whose responders remember nothing makes no file."""
        bot = self.bot()
        bot.startService()
        self.stop(bot)
        self.assertFalse(self.path.exists())

    def test_of_another_bot(self):
        """With another bot's brain it does not start, and a person is told."""
        self.test_open_while_it_runs()
        lock = take_lock(self.path)
        bot = self.bot()
        bot.startService()
        [reason] = self.reasons
        self.assertIn("another bot is using this state folder", reason)
        self.stop(bot)
        os.close(lock)
