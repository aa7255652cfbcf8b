"""TCP_QUICKACK and TCP_NODELAY."""

import socket

from twisted.trial import unittest

from tests.chat.xmpp.harness import MemoryTransport
from xbot.chat.xmpp.wire import quickack
from xbot.chat.xmpp.wire.quickack import QuickAck


class Socket:
    """A fake socket that records its options, and may be closed."""

    def __init__(self):
        self.told, self.closed = [], False

    def setsockopt(self, *option):
        if self.closed:
            raise OSError("closed")
        self.told.append(option)


class Transport(MemoryTransport):
    def __init__(self):
        super().__init__()
        self.socket, self.no_delay = Socket(), False

    def setTcpNoDelay(self, enabled):
        self.no_delay = enabled


class PromptnessTests(unittest.TestCase):
    def test_each_read(self):
        """Nagle's algorithm is off from the beginning; each read is acknowledged at once."""
        transport = Transport()
        promptness = QuickAck(transport)
        self.assertTrue(transport.no_delay)
        self.assertEqual(transport.socket.told, [])
        for _ in range(2):
            promptness.got_data()
        self.assertEqual(transport.socket.told, [(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)] * 2)

    def test_closed(self):
        """A socket that was closed meanwhile is no error."""
        transport = Transport()
        promptness = QuickAck(transport)
        transport.socket.closed = True
        promptness.got_data()
        transport.socket.closed = False
        promptness.got_data()
        self.assertEqual(transport.socket.told, [])

    def test_elsewhere(self):
        """Without a TCP socket, or a kernel that has the option, nothing is asked."""
        QuickAck(MemoryTransport()).got_data()
        self.patch(quickack, "_QUICK_ACK", None)
        transport = Transport()
        QuickAck(transport).got_data()
        self.assertEqual(transport.socket.told, [])

    if not hasattr(socket, "TCP_QUICKACK"):
        test_each_read.skip = "this kernel has no TCP_QUICKACK"
