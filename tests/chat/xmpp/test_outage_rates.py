"""Rate limits after an outage with resumption (XEP-0198): the whole bot."""

from datetime import UTC, datetime

from twisted.trial import unittest

from tests.hostile.bot import BIND, NOW, SM, Bot, features, said, told
from xbot.chat.xmpp.wire import ns
from xbot.config.settings import SENDER_RATE


class OutageRatesTests(unittest.TestCase):
    """``outage`` cuts the link; then the server resends, with its stamps."""

    def setUp(self):
        self.now = NOW
        self.bot = Bot(wall_clock=lambda: self.now, is_limited=True)
        self.peer = self.bot.online(managed=True)

    def pass_time(self, seconds):
        self.now += seconds
        self.bot.clock.advance(seconds)

    def outage(self, seconds):
        managed = self.bot.adapter.managed
        self.peer.lose()
        self.pass_time(seconds)
        peer = self.peer = self.bot.await_try()
        peer.authenticate()
        peer.feed(features(BIND + SM))
        h = managed._session.outbound._acknowledged + managed.unacknowledged
        peer.feed(f"<resumed xmlns='{ns.SM}' previd='s1' h='{h}'/>")
        peer.sent()

    def stamp(self, ago, server="example.org"):
        """The server's delay of a message that it got ``ago`` seconds before now."""
        at = datetime.fromtimestamp(self.now - ago, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return f"<delay xmlns='{ns.DELAY}' from='{server}' stamp='{at}'/>"

    def answers(self):
        return [each.body.children[0] for each in self.peer.stanzas() if each.name == "message"]

    def hear(self, agos, say=said, server="example.org"):
        """Feed commands that were said that long ago; return how many were answered."""
        for ago in agos:
            more = "" if ago is None else self.stamp(ago, server)
            self.peer.feed(say("bot: ping", more=more))
        return self.answers().count("pong")

    def test_what_was_said_in_minutes(self):
        """What one person said at a modest rate in an outage is answered, in room and private.

        The same at once, and live, is too much.
        """
        for say in said, told:
            self.outage(100)
            self.assertEqual(self.hear([98 - 3 * n for n in range(30)], say), 30)
            self.pass_time(60)
            self.assertEqual(self.hear([None] * 30, say), SENDER_RATE.burst)
            self.pass_time(60)

    def test_too_much_in_an_outage(self):
        """What was said too fast in an outage is as much too much as without one."""
        self.outage(100)
        self.assertEqual(self.hear([98 - 0.01 * n for n in range(30)]), SENDER_RATE.burst)

    def test_a_clock_that_lies(self):
        """A forged stamp gains nothing beyond what could be said in the outage itself."""
        self.pass_time(120)
        self.peer.feed(" ")
        self.outage(2)
        agos = [118 - 2 * n for n in range(60)]
        # Two seconds of outage are worth one command.
        self.assertLessEqual(self.hear(agos), SENDER_RATE.burst + 1)
        self.pass_time(90)
        agos = [89 - n for n in range(90)]
        self.assertEqual(self.hear(agos), SENDER_RATE.burst)

    def test_a_stamp_of_another_server(self):
        """A stamp from any other than our server makes the message history, as ever."""
        self.outage(100)
        self.assertEqual(self.hear([50], server="example.net"), 0)

    def test_a_fresh_stream(self):
        """Without a resumption no stamp counts."""
        self.assertEqual(self.hear([5] * 3), 0)
        self.assertEqual(self.hear([None] * 30), SENDER_RATE.burst)
