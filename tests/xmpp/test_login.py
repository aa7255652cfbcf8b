"""The login, against a server that the test plays."""

from twisted.trial import unittest

from tests.xmpp.harness import TLS_OPTIONS, Peer


class HappyTests(unittest.TestCase):
    def test_log_in(self):
        """A whole login ends with the JID that the server bound, and no problem."""
        peer = Peer()
        peer.log_in("xbot@example.org/other")
        self.assertIsNone(peer.stream.problem)
        self.assertFalse(peer.stream.negotiating)
        self.assertEqual(str(peer.stream.authenticator.jid), "xbot@example.org/other")
        self.assertIs(peer.transport.tls, TLS_OPTIONS)
        self.assertEqual(peer.clock.getDelayedCalls(), [])
