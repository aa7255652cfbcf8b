"""Catalogue rows N (network): DNS, TLS, redirects and man-in-the-middle attacks."""

from OpenSSL import SSL
from twisted.internet import ssl
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.names import error as names
from twisted.names.error import DNSNameError, DNSServerError

from tests.chat.xmpp.harness import (
    BIND,
    HEADER,
    PROCEED,
    STARTTLS,
    MemoryConnection,
    features,
    mechanisms,
    sasl,
)
from tests.chat.xmpp.security.test_tls import Identity, limit, shake_hands
from tests.chat.xmpp.stream.test_endpoints import Net, record
from tests.chat.xmpp.stream.test_login import STATES
from tests.hostile.bot import HostileCase, said
from xbot.chat.xmpp.security.tls import ALPN, WrongPeer, check_peer, client_options, explain
from xbot.chat.xmpp.stream.connection import CONNECT_TIMEOUT, State
from xbot.chat.xmpp.stream.endpoints import MAX_TARGETS, XMPP_PORT
from xbot.chat.xmpp.stream.login import NEGOTIATION_TIMEOUT
from xbot.chat.xmpp.stream.redirect import MAX_REDIRECTS

COMPRESSION = (
    "<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>"
)


def redirect(host):
    """The ``see-other-host`` stream error (RFC 6120 4.9.3.19)."""
    return (
        "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>"
        f"{host}</see-other-host></stream:error>"
    )


class StreamTests(HostileCase):
    def rejected(self, text, reason):
        bot = self.bot()
        peer = bot.accept()
        peer.feed(text)
        self.closes(bot, peer, reason, credentials=False)

    def test_N01(self):
        """Without STARTTLS nothing of the account is told."""
        self.rejected(features(mechanisms("PLAIN")), "no STARTTLS")

    def test_N02(self):
        """Before XMPP 1.0 there is neither TLS nor SASL."""
        for version in " version='0.9'", "":
            self.rejected(HEADER.replace(" version='1.0'>", f"{version}>"), "no XMPP 1.0")

    def test_N03(self):
        """The name in the header is the peer's to choose; ours must be on the certificate."""
        self.rejected(HEADER.replace("example.org", "attacker.example"), "another domain")
        bot = self.bot()
        peer = bot.accept()
        peer.start_tls()
        peer.feed(features(mechanisms("PLAIN")).replace("'example.org'", "'attacker.example'"))
        self.closes(bot, peer, "another domain", credentials=False)
        attacker = Identity("attacker.example", Identity("CA", authority=True))
        self.assert_no_byte(attacker, attacker.issuer, "not for our domain")

    # Certificates, by real handshakes.

    def assert_no_byte(self, identity, trusted, reason, direct=False, **more):
        client, server = shake_hands(
            client_options("example.org", trusted.pem, direct=direct), identity.options(**more)
        )
        self.assertEqual(server.got, b"")
        self.assertIn(reason, explain(client.lost))
        self.outcomes.add("C")

    def test_N04(self):
        """A certificate for another host gets no byte."""
        ca = Identity("CA", authority=True)
        self.assert_no_byte(Identity("xmpp.example.net", ca), ca, "not for our domain")

    def test_N05(self):
        """A certificate that expired gets no byte."""
        ca = Identity("CA", authority=True)
        self.assert_no_byte(Identity("example.org", ca, days=-1), ca, "not trusted")

    def test_N06(self):
        """A certificate that vouches for itself gets no byte."""
        ca = Identity("CA", authority=True)
        self.assert_no_byte(Identity("example.org"), ca, "not trusted")

    def test_N07(self):
        """A certificate by an unknown CA, even of the same name, gets no byte."""
        ca, other = Identity("CA", authority=True), Identity("CA", authority=True)
        self.assert_no_byte(Identity("example.org", other), ca, "not trusted")

    def test_N08(self):
        """A certificate for the SRV target alone gets no byte: DNS is anybody's."""
        ca = Identity("CA", authority=True)
        self.assert_no_byte(Identity("xmpp1.example.org", ca), ca, "not for our domain")

    def test_N09(self):
        """A certificate for the domain is good, whatever the host is called."""
        ca = Identity("CA", authority=True)
        _, server = shake_hands(
            client_options("example.org", ca.pem), Identity("example.org", ca).options()
        )
        self.assertEqual(server.got, b"the password")
        net = Net([record("far.example.net")], {"far.example.net": "connected"})
        self.assertEqual(self.successResultOf(net.connect()), "connected")
        bot = self.bot()
        self.goes_on(bot, bot.online())

    def test_N10(self):
        """A stanza behind <proceed/> reaches nobody."""
        bot = self.bot()
        peer = bot.accept()
        peer.feed(features(STARTTLS))
        peer.feed(PROCEED + said("bot: deploy"))
        self.closes(bot, peer, "unprotected stream", credentials=False)

    def test_N11(self):
        """Old TLS ends the connection; renegotiation and compression are never spoken of."""
        ca = Identity("CA", authority=True)
        old = limit(
            Identity("example.org", ca).options(insecurelyLowerMinimumTo=ssl.TLSVersion.TLSv1_0),
            SSL.TLS1_1_VERSION,
        )
        old.getContext().set_cipher_list(b"ALL:@SECLEVEL=0")
        _, server = shake_hands(client_options("example.org", ca.pem), old)
        self.assertEqual(server.got, b"")
        bot = self.bot()
        peer = bot.accept()
        peer.feed(features(STARTTLS + COMPRESSION))
        peer.feed(PROCEED)
        peer.feed(features(mechanisms("PLAIN") + COMPRESSION))
        peer.feed(sasl("success"))
        peer.sent()
        peer.feed(features(BIND + COMPRESSION))
        peer.bind("xbot@example.org/bot")
        bot.enter(peer)
        self.goes_on(bot, peer)
        self.assertNotIn("compress", bot.taps[0].text(encrypted=True))

    def test_N12(self):
        """Redirects are followed three times, each to whoever has our domain's certificate."""
        bot = self.bot()
        for number in range(MAX_REDIRECTS):
            peer = bot.accept()
            peer.feed(HEADER + redirect(f"h{number}.attacker.example"))
            tries = len(bot.endpoint.attempts)
            peer.lose()
            self.assertEqual(len(bot.endpoint.attempts), tries + 1)
        peer = bot.accept()
        peer.feed(HEADER + redirect("one.too.many.example"))
        self.closes(bot, peer, "see-other-host", credentials=False)
        # Where it leads does not change whose certificate is asked for.
        ca = Identity("CA", authority=True)
        self.assert_no_byte(Identity("h0.attacker.example", ca), ca, "not for our domain")

    def test_N13(self):
        """Whatever DNS says: no other domain is asked, few hosts are, and the next try waits."""
        dot = record(".")
        fifty = [record(f"h{n}.example", priority=n) for n in range(50)]
        table = (
            ([dot], 0),
            (fifty, MAX_TARGETS),
            ([record("attacker.example")], 1),
            (DNSNameError(), 1),
            (DNSServerError(), 0),
            (names.DNSQueryRefusedError(), 0),
        )
        for answer, tried in table:
            net = Net(answer)
            failure = self.failureResultOf(net.connect())
            self.assertEqual(len(net.tried), tried, answer)
            bot = self.bot()
            bot.endpoint.refuse(failure.value)
            self.assertIs(bot.state, State.WAITING)
            self.outcomes.add("C")
        self.assertEqual(net.tried, [])
        # RFC 6120 3.2.1: without an answer, the domain itself.
        net = Net(names.DomainError())
        self.failureResultOf(net.connect())
        self.assertEqual(net.tried, [("example.org", XMPP_PORT)])
        # A look-up that hangs is given up with the attempt.
        bot = self.bot()
        bot.clock.advance(CONNECT_TIMEOUT)
        self.assertIs(bot.state, State.WAITING)

    def test_N14(self):
        """Direct TLS to a web server, or with a certificate for another, gets no byte."""
        ca = Identity("CA", authority=True)
        self.assert_no_byte(
            Identity("example.net", ca),
            ca,
            "not for our domain",
            direct=True,
            acceptableProtocols=[ALPN],
        )

        class Web(MemoryConnection):
            def get_alpn_proto_negotiated(self):
                return b"h2"

        with self.assertRaises(WrongPeer) as caught:
            check_peer(Web(), "example.org", [])
        self.assertIn("ALPN", str(caught.exception))

    def test_N15(self):
        """Silence, or a byte every ten seconds, ends every step of the login at 30 s."""
        for reach in STATES.values():
            for drip in "", " ":
                bot = self.bot()
                peer = bot.accept()
                reach(peer)
                for _ in range(int(NEGOTIATION_TIMEOUT // 10)):
                    self.assertIsNone(peer.stream.problem)
                    peer.feed(drip)
                    bot.clock.advance(10)
                self.closes(bot, peer, "the login took longer")

    def test_N16(self):
        """A connection that is gone, however quietly, is noticed within 90 s."""
        for error in ConnectionLost(), ConnectionDone():
            bot = self.bot()
            peer = bot.online()
            peer.lose(error)
            self.assertIs(bot.state, State.WAITING)
        bot = self.bot()
        peer = bot.online()
        bot.clock.pump([1] * 90)
        self.assertTrue(peer.transport.aborted)
        self.closes(bot, peer, "did not answer a ping")
