"""Message ids that senders use again, and resends by the server: the whole bot."""

from datetime import UTC, datetime

from twisted.logger import LogLevel, capturedLogs
from twisted.trial import unittest

from tests.hostile.bot import BIND, NOW, SM, Bot, features, told
from xbot.chat.xmpp.wire import ns

COMMAND = told("deploy web").replace("<message", "<message id='1'")


class ReusedIdTests(unittest.TestCase):
    def setUp(self):
        self.now = NOW
        self.bot = self.make()

    def make(self, **more):
        return Bot(wall_clock=lambda: self.now, **more)

    def told_of(self, events):
        """The info lines about duplicates."""
        return [
            event["sender"]
            for event in events
            if event["log_level"] is LogLevel.info
            and event["log_format"].startswith("dropped, duplicate: from {sender}")
        ]

    def test_scripts_that_count_from_1(self):
        """A command with a message id from before runs, also after a restart of the bot.

        Within the time of a possible resend it is dropped, counted and logged.
        """
        for seconds, runs in ((0.0, 1), (30.0, 0), (300.0, 1), (86_400.0, 1)):
            self.now += seconds
            self.bot.journal.now = self.now
            self.bot = self.make(journal=self.bot.journal.restarted())
            peer = self.bot.online()
            with capturedLogs() as events:
                peer.feed(COMMAND)
            self.assertEqual(len(self.bot.runs), runs, seconds)
            self.assertEqual(self.bot.dispatcher.fates["duplicate"], 1 - runs, seconds)
            self.assertEqual(self.told_of(events), ["alice@example.org/x"] * (1 - runs))

    def test_late_resends(self):
        """A command from before a cut does not run again, however late the server resends it.

        It comes without a delay, and with the delay of a server whose clock is ahead.
        """
        peer = self.bot.online(managed=True)
        peer.feed(COMMAND)
        managed = self.bot.adapter.managed
        for seconds in (5.0, 600.0, 3600.0):
            peer.lose()
            self.now += seconds
            self.bot.journal.now = self.now
            self.bot.clock.advance(seconds)
            peer = self.bot.await_try()
            peer.authenticate()
            peer.feed(features(BIND + SM))
            h = managed._session.outbound._acknowledged + managed.unacknowledged
            peer.feed(f"<resumed xmlns='{ns.SM}' previd='s1' h='{h}'/>")
            stamp = datetime.fromtimestamp(self.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            delay = f"<delay xmlns='{ns.DELAY}' from='example.org' stamp='{stamp}'/>"
            with capturedLogs() as events:
                peer.feed(COMMAND)
                peer.feed(COMMAND.replace("</message>", f"{delay}</message>"))
            self.assertEqual(self.bot.runs, ["deploy web"])
            self.assertEqual(self.told_of(events), [], "a resend is expected")
        self.assertEqual(self.bot.dispatcher.fates["duplicate"], 6)
