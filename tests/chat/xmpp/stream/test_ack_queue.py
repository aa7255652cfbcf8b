"""Counters and queue of stream management (XEP-0198), without a stream."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from xbot.chat.xmpp.stream import ack_queue


class InboundTests(unittest.TestCase):
    def test_h_stops_at_the_first_in_work(self):
        """A stanza that is not safe yet holds back the count of all after it."""
        inbound = ack_queue.Inbound()
        first, second, third = inbound.received(), inbound.received(), inbound.received()
        self.assertFalse(inbound.handled(third))
        self.assertEqual((inbound.h, inbound.in_work), (0, 3))
        self.assertTrue(inbound.handled(first))
        self.assertEqual((inbound.h, inbound.in_work), (1, 2))
        self.assertTrue(inbound.handled(second))
        self.assertEqual((inbound.h, inbound.in_work), (3, 0))

    def test_handled_twice(self):
        """A ticket counts once."""
        inbound = ack_queue.Inbound()
        ticket = inbound.received()
        inbound.handled(ticket)
        self.assertFalse(inbound.handled(ticket))
        self.assertEqual(inbound.h, 1)

    @given(st.permutations(range(1, 9)))
    def test_any_order_ends_at_all(self, order):
        """In whatever order they are handled, h is always the contiguous beginning."""
        inbound = ack_queue.Inbound()
        for _ in order:
            inbound.received()
        done: set[int] = set()
        for ticket in order:
            inbound.handled(ticket)
            done.add(ticket)
            contiguous = next(n for n in range(10) if n + 1 not in done)
            self.assertEqual(inbound.h, contiguous)

    def test_wraps(self):
        """XEP-0198 4: the count wraps at 2^32."""
        inbound = ack_queue.Inbound()
        inbound._received = inbound._handled = ack_queue.MODULUS - 1
        inbound.handled(inbound.received())
        self.assertEqual(inbound.h, 0)


class OutboundTests(unittest.TestCase):
    def test_acknowledged_in_order(self):
        """An acknowledgement frees the oldest, and tells which."""
        outbound: ack_queue.Outbound[str] = ack_queue.Outbound()
        for name in "abc":
            outbound.sent(name.encode(), name)
        self.assertEqual([sent.token for sent in outbound.acknowledged(2)], ["a", "b"])
        self.assertEqual([sent.data for sent in outbound], [b"c"])
        self.assertEqual(outbound.acknowledged(2), [])
        self.assertEqual(len(outbound), 1)

    def test_impossible_counts(self):
        """More than was sent, less than before, or no count of 32 bits is the peer's fault."""
        outbound: ack_queue.Outbound[str] = ack_queue.Outbound()
        for name in "abc":
            outbound.sent(name.encode())
        outbound.acknowledged(2)
        for h in (4, 1, -1, ack_queue.MODULUS, ack_queue.MODULUS + 3):
            with self.assertRaises(ack_queue.BadAcknowledgement):
                outbound.acknowledged(h)
        self.assertEqual(len(outbound), 1)

    def test_wraps(self):
        """XEP-0198 4: an acknowledgement past 2^32 frees what it covers."""
        outbound: ack_queue.Outbound[str] = ack_queue.Outbound()
        outbound._acknowledged = ack_queue.MODULUS - 1
        for name in "abc":
            outbound.sent(name.encode())
        self.assertEqual([s.data for s in outbound.acknowledged(1)], [b"a", b"b"])

    @given(st.lists(st.integers(0, 5), max_size=30))
    def test_nothing_is_lost(self, steps):
        """What was sent is either acknowledged or still under way, in order."""
        outbound: ack_queue.Outbound[int] = ack_queue.Outbound()
        sent, freed, h = 0, [], 0
        for step in steps:
            for _ in range(step):
                outbound.sent(b"", sent)
                sent += 1
            count = min(step // 2, len(outbound))
            h += count
            freed += [item.token for item in outbound.acknowledged(h)]
        self.assertEqual(freed + [item.token for item in outbound], list(range(sent)))
