"""Joins leave in batches that the server reads soon."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial import unittest

from xbot.chat.xmpp.rooms.join_pace import FIRST, LEAST, JoinPace
from xbot.chat.xmpp.stream.iq import IqTimeout


class JoinPaceTests(unittest.TestCase):
    def setUp(self):
        self.clock, self.pings, self.gone = Clock(), [], []
        self.pace = JoinPace(self.ping, self.clock)

    def ping(self):
        self.pings.append(Deferred())
        return self.pings[-1]

    def ask(self, *names, service="muc"):
        queue = self.pace.queue(service)
        for name in names:
            queue.ask(name, lambda name=name: self.gone.append(name))

    def test_a_batch(self):
        """No further join leaves before the server has answered the ping behind the first ones."""
        for number in range(3 * FIRST):
            self.ask(number, service=f"muc{number}")
        self.assertEqual(self.gone, list(range(FIRST)))
        self.assertEqual(len(self.pings), 1)
        self.pings[0].callback(None)
        self.assertEqual(self.gone, list(range(3 * FIRST)))

    def test_no_answer(self):
        """After a ping without an answer the next batch is the smallest."""
        for number in range(3 * FIRST):
            self.ask(number, service=f"muc{number}")
        self.pings[0].errback(IqTimeout("no answer"))
        self.assertEqual(len(self.gone), FIRST + LEAST)
