"""TLS: whom we trust, and what went wrong, by real handshakes in memory."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto
from service_identity import VerificationError
from twisted.internet import ssl
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial import unittest

from xbot.xmpp.tls import client_options, explain

DAY = datetime.timedelta(days=1)


class Identity:
    """A key and a certificate for a domain, signed by ``issuer`` or by itself."""

    def __init__(self, domain, issuer=None, days=30, authority=False):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
        now = datetime.datetime.now(datetime.UTC)
        signer = issuer or self
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(signer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 60 * DAY)
            .not_valid_after(now + days * DAY)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .sign(signer.key, hashes.SHA256())
        )

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def options(self, **more):
        return ssl.CertificateOptions(
            privateKey=crypto.PKey.from_cryptography_key(self.key),
            certificate=crypto.X509.from_cryptography(self.certificate),
            **more,
        )


class Recorder(Protocol):
    """Remembers what came, and how it ended."""

    def __init__(self):
        self.got, self.lost = b"", None

    def dataReceived(self, data):
        self.got += data

    def connectionLost(self, reason):
        self.lost = reason


def shake_hands(client_options, server_options):
    """A handshake and a greeting; gives our end, and the server's."""
    ends = []
    for options, is_client in ((client_options, True), (server_options, False)):
        factory = TLSMemoryBIOFactory(
            options, is_client, Factory.forProtocol(Recorder), clock=Clock()
        )
        protocol, transport = factory.buildProtocol(None), StringTransport()
        ends.append((protocol, transport, factory._clock))
        protocol.makeConnection(transport)
    client, server = (end[0].wrappedProtocol for end in ends)
    client.transport.write(b"the password")
    moving = True
    while moving:
        moving = False
        for (_, source, clock), (sink, target, _) in (ends, ends[::-1]):
            clock.advance(1)
            data = source.value()
            source.clear()
            if data and not target.disconnecting:
                moving = True
                sink.dataReceived(data)
    for protocol, transport, _ in ends:
        if transport.disconnecting:
            protocol.connectionLost(Failure(ConnectionDone()))
    return client, server


class HandshakeTests(unittest.TestCase):
    def setUp(self):
        self.authority = Identity("Test CA", authority=True)

    def options(self, *pems):
        return client_options("example.org", b"".join(pems))

    def test_trusted(self):
        """A certificate for our domain, by an authority that we name, is trusted."""
        other = Identity("Other CA", authority=True)
        for issuer in self.authority, other:
            client, server = shake_hands(
                self.options(b"a comment\n", self.authority.pem, other.pem),
                Identity("example.org", issuer).options(),
            )
            self.assertIsNone(client.lost)
            self.assertEqual(server.got, b"the password")

    def test_not_trusted(self):
        """Any other certificate ends the connection before a byte of ours leaves, with why."""
        untrusted = "the server's certificate is not trusted"
        wrong = "the server's certificate is not for our domain"
        table = {
            "another host": (Identity("xmpp.example.net", self.authority), wrong),
            "a subdomain": (Identity("xmpp.example.org", self.authority), wrong),
            "expired": (Identity("example.org", self.authority, days=-1), untrusted),
            "self-signed": (Identity("example.org"), untrusted),
            "unknown CA": (
                Identity("example.org", Identity("Test CA", authority=True)),
                untrusted,
            ),
        }
        for what, (identity, text) in table.items():
            client, server = shake_hands(self.options(self.authority.pem), identity.options())
            self.assertEqual(server.got, b"", what)
            self.assertTrue(explain(client.lost).startswith(text), (what, client.lost))

    def test_system_trust(self):
        """Without a file of our own the system's authorities count, and ours is none of them."""
        client, server = shake_hands(
            client_options("example.org", None), Identity("example.org", self.authority).options()
        )
        self.assertEqual(server.got, b"")
        self.assertIn("not trusted", explain(client.lost))

    def test_old_tls(self):
        """A server that speaks nothing newer than TLS 1.1 is refused."""
        old = Identity("example.org", self.authority).options()
        context = old.getContext()
        context.set_max_proto_version(SSL.TLS1_1_VERSION)
        context.set_min_proto_version(SSL.TLS1_VERSION)
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
        client, server = shake_hands(self.options(self.authority.pem), old)
        self.assertEqual(server.got, b"")
        self.assertIsNotNone(client.lost)
        self.assertIn("TLS", explain(client.lost))


class OptionsTests(unittest.TestCase):
    def test_no_certificate(self):
        """Authorities without a sound certificate are refused: trust in nobody is none."""
        broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        sound = Identity("Test CA", authority=True).pem
        for content in b"", b"-----BEGIN CERTIFICATE-----", b"x" * 1000, broken, sound + broken:
            with self.assertRaises(ValueError, msg=content[:40]) as caught:
                client_options("example.org", content)
            self.assertIn("certificate", str(caught.exception))


class ExplainTests(unittest.TestCase):
    def test_explain(self):
        """Each way in which a connection ends has words for the operator."""

        def openssl(*texts):
            return SSL.Error([("SSL routines", "", text) for text in texts])

        table = (
            (VerificationError(errors=[]), "the server's certificate is not for our domain"),
            (openssl("certificate verify failed"), "the server's certificate is not trusted"),
            (openssl("x", "certificate verify failed"), "the server's certificate is not trusted"),
            (openssl("unsupported protocol"), "the server offers no TLS 1.2 or later"),
            (openssl("odd", "things"), "TLS failed (odd; things)"),
            (SSL.Error(), "TLS failed (no reason given)"),
            (ConnectionDone(), "the server closed the connection"),
            (ConnectionLost("reset"), "the connection was lost (Connection to the other side"),
            (OSError("no route"), "no route"),
            (ZeroDivisionError(), "ZeroDivisionError"),
        )
        for error, text in table:
            told = explain(Failure(error))
            self.assertTrue(told.startswith(text), told)
