"""The timer that pauses while the stream is down."""

from twisted.internet.task import Clock
from twisted.trial import unittest

from xbot.chat.xmpp.stream.stream_timer import GRACE, StreamTimer


class AlarmTests(unittest.TestCase):
    def setUp(self):
        self.clock, self.rung, self.connected = Clock(), [], True
        self.alarm = StreamTimer(self.clock, lambda: self.connected)

    def ring(self):
        self.rung.append(self.clock.seconds())

    def test_once(self):
        """It rings once, when it was set to last."""
        self.alarm.set(1, self.ring)
        self.alarm.set(3, self.ring)
        self.assertEqual(self.alarm.at, 3)
        self.clock.advance(3)
        self.clock.advance(10)
        self.assertEqual(self.rung, [3])
        self.assertIsNone(self.alarm.at)

    def test_stopped(self):
        """Stopped, it does not ring, and leaves nothing on the clock."""
        self.alarm.set(1, self.ring)
        self.alarm.stop()
        self.alarm.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_while_the_stream_is_down(self):
        """Due while the stream is down, it rings a while after the next one is there."""
        self.connected = False
        self.alarm.set(1, self.ring)
        self.clock.advance(100)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.connected = True
        self.alarm.resumed()
        self.clock.advance(GRACE)
        self.alarm.resumed()
        self.clock.advance(GRACE)
        self.assertEqual(self.rung, [100 + GRACE])

    def test_stopped_while_the_stream_is_down(self):
        """What was stopped meanwhile does not ring."""
        self.connected = False
        self.alarm.set(1, self.ring)
        self.clock.advance(1)
        self.alarm.stop()
        self.connected = True
        self.alarm.resumed()
        self.assertEqual(self.clock.getDelayedCalls(), [])
