"""Our own check of the server's certificate, by real TLS handshakes in memory.

Twisted's check is put out of action by connection creators of ours that ask
nothing about names, or in which the one who asks breaks.
"""

import ipaddress
import sys

from cryptography import x509
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from twisted.internet import ssl
from twisted.internet.defer import succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.trial import unittest
from zope.interface import implementer

from tests.chat.xmpp.harness import (
    HEADER,
    PASSWORD,
    PROCEED,
    STARTTLS,
    MemoryConnection,
    Peer,
    features,
    mechanisms,
)
from tests.chat.xmpp.security.test_tls import Recorder, shake_hands, tls_over
from tests.hostile.bot import Bot
from tests.identity import Identity
from xbot.chat.xmpp.security import tls
from xbot.chat.xmpp.security.channel_binding import tls_connection
from xbot.chat.xmpp.security.tls import WrongPeer, check_peer, client_options, public_key_pin
from xbot.chat.xmpp.stream.connection import State
from xbot.chat.xmpp.stream.login import NEGOTIATION_TIMEOUT, Account, Login
from xbot.chat.xmpp.stream.stream import StreamFactory
from xbot.chat.xmpp.wire.errors import NegotiationTimeout
from xbot.config.settings import Secret
from xbot.model.jid import Jid

NOT_OURS = "the server's certificate is not for our domain"

dns = x509.DNSName


def srv(name):
    """An SRV-ID (RFC 4985): an IA5String."""
    value = name.encode()
    return x509.OtherName(
        x509.ObjectIdentifier("1.3.6.1.5.5.7.8.7"), bytes([0x16, len(value)]) + value
    )


def xmpp_address(name):
    """An id-on-xmppAddr (RFC 6120 13.7.1.4): a UTF8String."""
    value = name.encode()
    return x509.OtherName(
        x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5"), bytes([0x0C, len(value)]) + value
    )


#: What a certificate says that is not for the domain beside it.
NOT_FOR = {
    "another name": ("example.org", [dns("attacker.example")]),
    "the SRV target's": ("example.org", [dns("xmpp1.hosting.example")]),
    "a subdomain": ("example.org", [dns("xmpp.example.org")]),
    "its parent": ("chat.example.org", [dns("example.org")]),
    "longer": ("example.org", [dns("example.org.attacker.example")]),
    "longer in front": ("example.org", [dns("badexample.org")]),
    "shorter": ("example.org", [dns("xample.org"), dns("example.or")]),
    "a wildcard below it": ("example.org", [dns("*.example.org")]),
    "a wildcard two levels up": ("a.b.example.org", [dns("*.example.org")]),
    "a wildcard one level too low": ("b.example.org", [dns("*.b.example.org")]),
    "a part of a wildcard": ("xmpp.example.org", [dns("x*.example.org")]),
    "a wildcard of another": ("xmpp.example.org", [dns("*.example.net")]),
    "a wildcard for an A-label": ("bücher.example.org", [dns("*.example.org")]),
    "a dot at its end": ("example.org", [dns("example.org.")]),
    "an A-label of another": ("bücher.example", [dns("xn--bcher-lva.example")]),
    "the letters without dots": ("bücher.example", [dns("bucher.example")]),
    "a URI": ("example.org", [x509.UniformResourceIdentifier("xmpp:example.org")]),
    "an SRV-ID": ("example.org", [srv("_xmpp-client.example.org")]),
    "an SRV-ID beside another name": (
        "example.org",
        [dns("attacker.example"), srv("_xmpp-client.example.org")],
    ),
    "an XMPP address beside another name": (
        "example.org",
        [dns("attacker.example"), xmpp_address("example.org")],
    ),
    "a mail address beside another name": (
        "example.org",
        [dns("attacker.example"), x509.RFC822Name("xbot@example.org")],
    ),
    "an address": ("example.org", [x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]),
    "another address": ("192.0.2.1", [x509.IPAddress(ipaddress.ip_address("192.0.2.2"))]),
    "a name for an address": ("192.0.2.1", [dns("example.org")]),
}

#: What a certificate says that is.
FOR = {
    "the name": ("example.org", [dns("example.org")]),
    "one of many": ("example.org", [dns("a.example"), dns("example.org"), dns("*.b.example")]),
    "upper case": ("example.org", [dns("EXAMPLE.Org")]),
    "a wildcard": ("xmpp.example.org", [dns("*.example.org")]),
    "an A-label": ("bücher.example", [dns("xn--bcher-kva.example")]),
    "an address": ("192.0.2.1", [x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]),
    "an address of IPv6": ("2001:db8::1", [x509.IPAddress(ipaddress.ip_address("2001:db8::1"))]),
    "beside an SRV-ID for another service": (
        "example.org",
        [dns("example.org"), srv("_xmpp-server.example.org")],
    ),
}


@implementer(IOpenSSLClientConnectionCreator)
class NoNames:
    """A fake of Twisted's TLS options that checks the CA, but not the certificate's name."""

    def __init__(self, authority):
        trusted = ssl.Certificate(crypto.X509.from_cryptography(authority.certificate))
        self.context = ssl.CertificateOptions(
            trustRoot=ssl.trustRootFromCertificates([trusted])
        ).getContext()

    def clientConnectionForTLS(self, protocol):
        connection = SSL.Connection(self.context, None)
        connection.set_connect_state()
        return connection


class BrokenInfo(NoNames):
    """The same, with an OpenSSL info callback that raises at each step."""

    def __init__(self, authority):
        super().__init__(authority)
        self.context.set_info_callback(self.called)

    def called(self, connection, where, result):
        raise ZeroDivisionError("the library's check is broken")


class BrokenVerification(NoNames):
    """The same, with a verify callback that swallows its exceptions and accepts."""

    def __init__(self, authority):
        super().__init__(authority)
        self.context.set_verify(SSL.VERIFY_PEER, self.verify)

    def verify(self, connection, certificate, error, depth, is_trusted):
        try:
            raise ZeroDivisionError("the library's check is broken")
        except ZeroDivisionError:
            return is_trusted


class StartTlsTransport(StringTransport):
    """An in-memory transport with real TLS after STARTTLS."""

    tls = None

    def __init__(self, clock):
        super().__init__()
        self.clock = clock
        self.aborted = False

    def startTLS(self, options):
        factory = tls_over(options, True, None, self.clock)
        self.tls = TLSMemoryBIOProtocol(factory, self.stream, False)
        self.clear()
        # What Twisted's TCP transport does under its own name.
        self.stream.transport = self.tls
        self.tls.makeConnection(self)

    def abortConnection(self):
        self.aborted = True
        self.loseConnection()


class Wire:
    """A login over real TLS to a server that stays silent after the handshake."""

    def __init__(self, account, server, direct):
        self.clock = Clock()
        factory = StreamFactory(
            lambda: Login(account, self.clock, lambda function: succeed(function())),
            account.jid.domain,
            self.clock,
        )
        tls_server = tls_over(server, False, Factory.forProtocol(Recorder), self.clock)
        self.there, self.there_out = tls_server.buildProtocol(None), StringTransport()
        self.there.makeConnection(self.there_out)
        if direct:
            self.here_out = StringTransport()
            here = tls_over(account.tls, True, factory, self.clock)
            self.here = here.buildProtocol(None)
            self.stream = self.here.wrappedProtocol
            self.here.makeConnection(self.here_out)
        else:
            self.here_out = StartTlsTransport(self.clock)
            self.stream = self.here_out.stream = factory.buildProtocol(None)
            self.stream.makeConnection(self.here_out)
            self.here_out.clear()
            self.stream.dataReceived(features(STARTTLS).encode())
            self.stream.dataReceived(PROCEED.encode())
            self.here = self.here_out.tls
        self.carry()

    def carry(self):
        """All that is written arrives."""
        ways = ((self.here_out, self.there), (self.there_out, self.here))
        moving = True
        while moving:
            moving = False
            for source, sink in ways:
                self.clock.advance(0)
                data = source.value()
                source.clear()
                if data and not sink.transport.disconnecting:
                    moving = True
                    sink.dataReceived(data)
        if self.here_out.disconnecting:
            self.here.connectionLost(Failure(ConnectionDone()))

    @property
    def heard(self):
        """What the server heard over TLS."""
        return self.there.wrappedProtocol.got


class PeerCase(unittest.TestCase):
    def setUp(self):
        self.authority = Identity("Test CA", authority=True)
        self.broken = []
        self.patch(sys, "unraisablehook", self.broken.append)

    def account(self, options, domain="example.org", **more):
        return Account(Jid.parse(f"xbot@{domain}/bot"), Secret(PASSWORD), options, **more)

    def identity(self, names=None, **more):
        return Identity("example.org", more.pop("issuer", self.authority), names=names, **more)


class AloneTests(PeerCase):
    """Only our own check looks at the certificate's name."""

    def check(self, domain, names, creator=NoNames):
        """What our check says after a handshake that the library let pass."""
        client, server = shake_hands(creator(self.authority), self.identity(names).options())
        self.assertEqual(server.got, b"the password", "the stand-in refused it")
        check_peer(tls_connection(client.transport), domain, ())

    def test_certificates_for_others(self):
        """A certificate that does not name our domain is refused, whatever else it says."""
        for what, (domain, names) in NOT_FOR.items():
            for creator in NoNames, BrokenInfo, BrokenVerification:
                with self.assertRaises(WrongPeer, msg=what) as caught:
                    self.check(domain, names, creator)
                self.assertEqual(str(caught.exception), f"{NOT_OURS} ({domain})", what)
        self.assertIsInstance(self.broken[0].exc_value, ZeroDivisionError)

    def test_certificates_for_us(self):
        """One that does is taken, in whatever way it does."""
        for domain, names in FOR.values():
            self.check(domain, names)

    def test_as_twisted_takes_them(self):
        """Twisted's own check, which is there as well, says the same of all of them."""
        for table, is_taken in ((FOR, True), (NOT_FOR, False)):
            for what, (domain, names) in table.items():
                client, server = shake_hands(
                    client_options(domain, self.authority.pem), self.identity(names).options()
                )
                self.assertEqual(server.got == b"the password", is_taken, what)
                self.assertEqual(client.lost is None, is_taken, what)

    def test_the_common_name_is_no_name(self):
        """A subject that names our domain is nothing beside names that do not (RFC 9525 2)."""
        identity = self.identity([dns("attacker.example")])
        subject = identity.certificate.subject.rfc4514_string()
        self.assertEqual(subject, "CN=example.org")
        client, _ = shake_hands(NoNames(self.authority), identity.options())
        with self.assertRaises(WrongPeer):
            check_peer(tls_connection(client.transport), "example.org", ())


class ErrorTests(PeerCase):
    """An exception in our own check is a refusal."""

    def test_whatever_is_raised(self):
        """Each error in the check is a refusal, in one line, of whatever kind it is."""

        class Panic(BaseException):
            """A BaseException, as panics of Rust code become in Python."""

        errors = (
            VerificationError(errors=[]),
            CertificateError("odd"),
            ValueError("x" * 10_000),
            TypeError(),
            AttributeError("no such thing"),
            MemoryError(),
            RecursionError(),
            NotImplementedError(),
            SSL.Error([("a", "b", "c")]),
            Panic("a library's"),
            SystemExit(0),
        )
        for error in errors:
            for name in "verify_hostname", "verify_ip_address":

                def fail(connection, host, error=error):
                    raise error

                self.patch(tls, name, fail)
            for domain in "example.org", "192.0.2.1":
                with self.assertRaises(WrongPeer) as caught:
                    check_peer(MemoryConnection(), domain, ())
                self.assertIn("the server's certificate", str(caught.exception))
                self.assertLess(len(str(caught.exception)), 500)
                self.assertIsNone(caught.exception.__cause__)

    def test_whatever_breaks(self):
        """So is an error in what is asked besides: protocol, chain and keys."""
        pin = frozenset({bytes(32)})
        for name in (
            "get_peer_certificate",
            "get_alpn_proto_negotiated",
            "get_verified_chain",
        ):
            for broken in (lambda connection: 1 / 0, lambda connection: object()):
                with self.subTest(name):
                    self.patch(MemoryConnection, name, broken)
                    with self.assertRaises(WrongPeer):
                        check_peer(MemoryConnection(), "example.org", pin)

    def test_nothing_to_check(self):
        """No TLS connection, or one without a certificate, is refused."""
        self.patch(MemoryConnection, "get_peer_certificate", lambda connection: None)
        for connection in None, MemoryConnection():
            with self.assertRaises(WrongPeer) as caught:
                check_peer(connection, "example.org", ())
            self.assertEqual(str(caught.exception), "the server shows no certificate")

    def test_no_domain(self):
        """A domain that can be on no certificate is on none."""
        for domain in "", "12345", "a b", "-", "example..org", "*.example.org", "*", "x" * 100:
            with self.assertRaises(WrongPeer, msg=domain):
                check_peer(MemoryConnection(), domain, ())


class LoginTests(PeerCase):
    """The login checks the peer before it writes, with STARTTLS, direct TLS and redirects."""

    def test_no_byte(self):
        """A server of another name hears not a byte over TLS, pinned or not; the log says why."""
        identity = self.identity([dns("attacker.example")])
        pins = frozenset({public_key_pin(identity.certificate)})
        for creator in NoNames, BrokenInfo, BrokenVerification:
            for direct in True, False:
                for account in (
                    self.account(creator(self.authority)),
                    self.account(creator(self.authority), pins=pins),
                ):
                    wire = Wire(account, identity.options(), direct)
                    self.assertEqual(wire.heard, b"")
                    self.assertIsInstance(wire.stream.problem, WrongPeer)
                    self.assertEqual(str(wire.stream.problem), f"{NOT_OURS} (example.org)")
                    self.assertTrue(wire.here_out.disconnecting)
                    self.assertEqual(wire.clock.getDelayedCalls(), [])
        self.assertTrue(self.broken)

    def test_ours(self):
        """The server of our domain hears our header, and who does not ask twice is none the worse.

        The real creator's check is there as well here.
        """
        for options in NoNames(self.authority), client_options("example.org", self.authority.pem):
            for direct in True, False:
                wire = Wire(self.account(options), self.identity().options(), direct)
                self.assertIsNone(wire.stream.problem)
                self.assertRegex(wire.heard, rb"^<\?xml .* to='example.org' version='1.0'>$")

    def test_pins(self):
        """A certificate for our domain is not enough where its key is not the pinned one."""
        for direct in True, False:
            account = self.account(NoNames(self.authority), pins=frozenset({bytes(32)}))
            wire = Wire(account, self.identity().options(), direct)
            self.assertEqual(wire.heard, b"")
            self.assertIn("pin-sha256", str(wire.stream.problem))

    def test_not_trusted(self):
        """Who signed it, and for how long, OpenSSL itself asks: no callback has a part in that."""
        for options in (
            self.identity(days=-1).options(),
            self.identity(issuer=Identity("Test CA", authority=True)).options(),
            Identity("example.org").options(),
        ):
            for creator in NoNames, BrokenInfo, BrokenVerification:
                wire = Wire(self.account(creator(self.authority)), options, True)
                self.assertEqual(wire.heard, b"")
                self.assertIn("is not trusted", str(wire.stream.problem))

    def test_a_check_that_breaks(self):
        """Where our own check breaks, too, no byte leaves."""
        self.patch(tls, "verify_hostname", lambda connection, name: 1 / 0)
        for direct in True, False:
            wire = Wire(self.account(NoNames(self.authority)), self.identity().options(), direct)
            self.assertEqual(wire.heard, b"")
            self.assertIn("cannot be checked (ZeroDivisionError", str(wire.stream.problem))


class WaitTests(unittest.TestCase):
    """During the TLS handshake."""

    def setUp(self):
        self.peer = Peer()
        self.peer.shakes_hands = False
        self.peer.feed(features(STARTTLS))
        self.peer.sent()
        self.peer.feed(PROCEED)

    def test_silence(self):
        """Nothing is written, not even for later, until the peer has shown who it is."""
        self.assertEqual(self.peer.sent(), "")
        self.peer.stream.handshakeCompleted()
        self.assertIn("<stream:stream ", self.peer.sent())

    def test_deadline(self):
        """A handshake that does not end is ended with the login's time."""
        self.peer.clock.advance(NEGOTIATION_TIMEOUT)
        self.assertIsInstance(self.peer.stream.problem, NegotiationTimeout)
        self.assertTrue(self.peer.transport.aborted)
        self.peer.lose()
        self.assertEqual(self.peer.clock.getDelayedCalls(), [])

    def test_data(self):
        """What comes before its end ends the stream, and nobody answers it."""
        self.peer.feed(features(mechanisms("PLAIN")))
        self.assertIn("out of turn", str(self.peer.stream.problem))
        self.peer.stream.handshakeCompleted()
        self.assertNotIn("<auth", self.peer.sent())

    def test_gone(self):
        """A connection that is lost meanwhile leaves nothing behind."""
        self.peer.lose()
        self.assertEqual(self.peer.clock.getDelayedCalls(), [])
        self.assertEqual(str(self.peer.stream.problem), "the server closed the connection")

    def test_without_a_connection(self):
        """Where there is no TLS connection to look at, that is the end."""
        self.peer.transport.connection = None
        self.peer.stream.handshakeCompleted()
        self.assertEqual(self.peer.sent(), "")
        self.assertIn("no certificate", str(self.peer.stream.problem))


class RedirectTests(unittest.TestCase):
    def test_elsewhere(self):
        """Where see-other-host leads we ask for our own domain; one line of the log says so."""
        other = Identity("other.example", Identity("CA", authority=True)).certificate
        bot = Bot()
        peer = bot.accept()
        peer.feed(
            f"{HEADER}<stream:error>"
            "<see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>other.example"
            "</see-other-host></stream:error>"
        )
        peer.lose()
        self.assertEqual(bot.endpoint.went[-1].host, "other.example")
        events = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        peer = bot.accept()
        peer.transport.certificate = crypto.X509.from_cryptography(other)
        peer.feed(features(STARTTLS))
        peer.feed(PROCEED)
        self.assertEqual(bot.taps[-1].text(encrypted=True), "")
        peer.lose()
        self.assertIs(bot.state, State.WAITING)
        (told,) = [event for event in events if "problem" in event]
        self.assertEqual(told["problem"], f"{NOT_OURS} (example.org)")
        self.assertNotIn("log_failure", told)
