"""MUC self-ping (XEP-0410)."""

import random

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import lowest
from xbot.chat.xmpp.rooms.self_ping import FIRST_BACKOFF, RETRY_DELAY, SelfPing, Standing
from xbot.chat.xmpp.stream.iq import IqRefused, IqTimeout
from xbot.chat.xmpp.stream.stream_timer import GRACE, StreamTimer
from xbot.chat.xmpp.wire.errors import ConnectionProblem
from xbot.model.errors import NotConnected

INTERVAL = 300.0
RESULT = object()
TIMEOUT = IqTimeout("room did not answer")


class SelfPingTestCase(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.connected, self.address = True, "room@muc.example.org/bot"
        self.asked, self.found, self.cancelled = [], [], 0
        self.ping = self.make()

    def make(self, uniform=lowest):
        ping = SelfPing(
            self.ask, lambda: self.address, lambda standing, said: self.found.append(standing),
            self.clock, StreamTimer(self.clock, lambda: self.connected), uniform, lambda: INTERVAL,
        )  # fmt: skip
        ping.start()
        return ping

    def ask(self, address):
        if not self.connected:
            return fail(NotConnected(address, "there is no connection"))
        self.asked.append(address)
        self.answer = Deferred(self.cancel)
        return self.answer

    def cancel(self, _):
        self.cancelled += 1

    def give(self, answer):
        """The question that was asked last is answered."""
        if isinstance(answer, Exception):
            self.answer.errback(answer)
        else:
            self.answer.callback(answer)

    def wait(self):
        """Seconds until it does something by itself; it does it."""
        (call,) = self.clock.getDelayedCalls()
        seconds = call.getTime() - self.clock.seconds()
        self.clock.advance(seconds)
        return seconds


class SilenceTests(SelfPingTestCase):
    def test_after_silence(self):
        """A silent room is asked, under our own full JID in it, once at a time."""
        self.clock.advance(INTERVAL - 1)
        self.assertEqual(self.asked, [])
        self.clock.advance(1)
        self.assertEqual(self.asked, [self.address])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_life(self):
        """Each sign of life begins the silence anew; none costs a timer."""
        for _ in range(100):
            self.clock.advance(INTERVAL / 2)
            self.ping.heard()
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertEqual(self.asked, [])
        self.clock.advance(INTERVAL)
        self.assertEqual(len(self.asked), 1)

    def test_spread(self):
        """A thousand rooms that fell silent together do not ask together."""
        self.ping.stop()
        uniform = random.Random(1).uniform
        for _ in range(1000):
            self.make(uniform)
        counts = []
        for _ in range(150):
            before = len(self.asked)
            self.clock.advance(INTERVAL / 300 + (INTERVAL if not counts else 0))
            counts.append(len(self.asked) - before)
        self.assertEqual(sum(counts), 1000)
        self.assertLess(max(counts), 30)

    def test_while_we_change_our_nick(self):
        """Nothing is asked before the service has answered our change of nick."""
        address, self.address = self.address, None
        self.clock.advance(INTERVAL)
        self.assertEqual(self.asked, [])
        self.address = address
        self.assertEqual(self.wait(), RETRY_DELAY)
        self.assertEqual(self.asked, [address])

    def test_doubt(self):
        """Where something says that we may be outside, we ask soon, however often it says so."""
        for _ in range(3):
            self.ping.doubt()
            self.clock.advance(RETRY_DELAY / 3)
        self.assertEqual(len(self.asked), 1)
        self.ping.doubt()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.ping.stop()
        self.ping.doubt()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop(self):
        """Stopped, it asks nothing, waits for nothing and tells nothing."""
        for reach in (lambda: None, lambda: self.clock.advance(INTERVAL)):
            self.setUp()
            reach()
            self.ping.stop()
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertEqual(self.found, [])
        self.assertEqual(self.cancelled, 1)
        self.successResultOf(self.answer)


class OutcomeTests(SelfPingTestCase):
    def test_table(self):
        """XEP-0410 3.2, row by row; an error that it does not name says that we are outside."""
        table = {
            "service-unavailable": Standing.INSIDE,
            "feature-not-implemented": Standing.INSIDE,
            "remote-server-not-found": Standing.UNDECIDED,
            "remote-server-timeout": Standing.UNDECIDED,
            "not-acceptable": Standing.OUTSIDE,
            "not-allowed": Standing.OUTSIDE,
            "bad-request": Standing.OUTSIDE,
            "undefined-condition": Standing.OUTSIDE,
            "internal-server-error": Standing.OUTSIDE,
            "": Standing.OUTSIDE,
        }
        answers = [(IqRefused(condition), standing) for condition, standing in table.items()]
        answers += [(RESULT, Standing.INSIDE), (TIMEOUT, Standing.UNDECIDED)]
        for answer, standing in answers:
            self.setUp()
            self.clock.advance(INTERVAL)
            self.give(answer)
            self.assertEqual(self.found, [standing], str(answer))

    def test_inside(self):
        """While the answers are good, a silent room is asked once in each interval."""
        for _ in range(3):
            self.assertEqual(self.wait(), INTERVAL)
            self.give(RESULT)
        self.assertEqual(self.found, [Standing.INSIDE] * 3)

    def test_undecided(self):
        """While nobody can tell it asks again, ever later; an answer ends that."""
        self.clock.advance(INTERVAL)
        delays = []
        for _ in range(8):
            self.give(TIMEOUT)
            delays.append(self.wait())
        self.assertEqual(delays[:4], [FIRST_BACKOFF, 30, 60, 120])
        self.assertEqual(delays[-1], 150)
        self.give(RESULT)
        self.assertEqual(self.found[-1], Standing.INSIDE)
        self.assertEqual(self.wait(), INTERVAL)
        self.give(TIMEOUT)
        self.assertEqual(self.wait(), FIRST_BACKOFF)

    def test_undecided_but_alive(self):
        """What the room said after the question decides it."""
        self.clock.advance(INTERVAL)
        self.clock.advance(1)
        self.ping.heard()
        self.give(TIMEOUT)
        self.assertEqual(self.found, [Standing.INSIDE])

    def test_outside(self):
        """Found outside, it asks no more."""
        self.clock.advance(INTERVAL)
        self.give(IqRefused("not-acceptable"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_item_not_found_after_a_rename(self):
        """item-not-found says that we are in under another nick, where we know of one."""
        self.clock.advance(INTERVAL)
        self.address = "room@muc.example.org/robot"
        self.give(IqRefused("item-not-found"))
        self.assertEqual(self.found, [Standing.INSIDE])
        self.assertEqual(self.wait(), INTERVAL)
        self.assertEqual(self.asked[-1], self.address)

    def test_item_not_found_without_a_rename(self):
        """The same twice in a row, with no new nick of ours, is a room that does not know us."""
        self.clock.advance(INTERVAL)
        self.give(IqRefused("item-not-found"))
        self.assertEqual(self.found, [])
        self.assertEqual(self.wait(), RETRY_DELAY)
        self.give(IqRefused("item-not-found"))
        self.assertEqual(self.found, [Standing.OUTSIDE])

    def test_item_not_found_then_well(self):
        """One such answer is forgotten with the next good one."""
        self.clock.advance(INTERVAL)
        for answer in (IqRefused("item-not-found"), RESULT, IqRefused("item-not-found"), RESULT):
            self.give(answer)
            self.wait()
        self.assertEqual(self.found, [Standing.INSIDE] * 2)


class StreamTests(SelfPingTestCase):
    def test_due_while_the_stream_is_down(self):
        """Nothing is asked while the stream is down; it is, after the resumption."""
        self.connected = False
        self.clock.advance(INTERVAL)
        self.clock.advance(INTERVAL)
        self.assertEqual((self.asked, self.clock.getDelayedCalls()), ([], []))
        self.connected = True
        self.ping.resumed()
        self.assertEqual(self.wait(), GRACE)
        self.assertEqual(len(self.asked), 1)

    def test_asked_on_the_other_stream(self):
        """A question that a cut came after is put again, and its silence decides nothing."""
        self.clock.advance(INTERVAL)
        self.connected = False
        self.connected = True
        self.ping.resumed()
        self.assertEqual(self.cancelled, 1)
        self.assertEqual(self.wait(), GRACE)
        self.assertEqual(len(self.asked), 2)
        self.give(RESULT)
        self.assertEqual(self.found, [Standing.INSIDE])

    def test_unanswered_while_the_stream_is_down(self):
        """A time-out while the stream is down decides nothing."""
        self.clock.advance(INTERVAL)
        self.connected = False
        self.give(TIMEOUT)
        self.assertEqual(self.found, [])
        self.clock.advance(RETRY_DELAY)
        self.connected = True
        self.ping.resumed()
        self.assertEqual(self.wait(), GRACE)
        self.assertEqual(len(self.asked), 2)

    def test_the_end_of_the_connection(self):
        """What ends the connection says nothing of the room."""
        self.clock.advance(INTERVAL)
        self.give(ConnectionProblem("gone"))
        self.assertEqual(self.found, [])
        self.ping.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
