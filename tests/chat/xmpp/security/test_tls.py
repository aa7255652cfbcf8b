"""TLS: certificate checks and their errors, by real handshakes in memory."""

import contextlib
import hashlib
import inspect

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
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

from tests.chat.xmpp.harness import MemoryConnection
from tests.identity import Identity
from xbot.chat.xmpp.security.channel_binding import available_bindings, end_point, tls_connection
from xbot.chat.xmpp.security.tls import (
    ALPN,
    ClientCertificate,
    WrongPeer,
    check_peer,
    client_options,
    explain,
    public_key_pin,
)


class Recorder(Protocol):
    """A protocol that records its input and the reason of its end."""

    def __init__(self):
        self.got, self.lost = b"", None

    def dataReceived(self, data):
        self.got += data

    def connectionLost(self, reason):
        self.lost = reason


def limit(options, newest, oldest=SSL.TLS1_VERSION):
    """A server that speaks nothing newer."""
    context = options.getContext()
    context.set_max_proto_version(newest)
    context.set_min_proto_version(oldest)
    return options


def tls_over(options, is_client, factory, clock):
    """A factory for TLS in memory, which writes when ``clock`` moves."""
    # COMPAT: Twisted before 22.11 writes at once and knows no clock.
    knows_clock = "clock" in inspect.signature(TLSMemoryBIOFactory).parameters
    more = {"clock": clock} if knows_clock else {}
    return TLSMemoryBIOFactory(options, is_client, factory, **more)


def shake_hands(client_options, server_options):
    """A handshake and a greeting; gives our end, and the server's."""
    ends = []
    for options, is_client in ((client_options, True), (server_options, False)):
        clock = Clock()
        factory = tls_over(options, is_client, Factory.forProtocol(Recorder), clock)
        protocol, transport = factory.buildProtocol(None), StringTransport()
        ends.append((protocol, transport, clock))
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
        old = limit(
            Identity("example.org", self.authority).options(
                insecurelyLowerMinimumTo=ssl.TLSVersion.TLSv1_0
            ),
            SSL.TLS1_1_VERSION,
        )
        old.getContext().set_cipher_list(b"ALL:@SECLEVEL=0")
        client, server = shake_hands(self.options(self.authority.pem), old)
        self.assertEqual(server.got, b"")
        self.assertIsNotNone(client.lost)
        self.assertIn("TLS", explain(client.lost))

    def test_tls_1_2_and_later(self):
        """TLS 1.2 and 1.3 are spoken, and our domain is what the server hears by SNI."""
        for newest in SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION:
            options = limit(Identity("example.org", self.authority).options(), newest)
            client, server = shake_hands(self.options(self.authority.pem), options)
            self.assertEqual(server.got, b"the password")
            connection = tls_connection(client.transport)
            self.assertEqual(connection.get_protocol_version(), newest)
            self.assertEqual(tls_connection(server.transport).get_servername(), b"example.org")

    def test_renegotiation(self):
        """A server that wants to negotiate anew, perhaps as somebody else, gets nowhere."""
        options = limit(Identity("example.org", self.authority).options(), SSL.TLS1_2_VERSION)
        ask = self.options(self.authority.pem)
        client, server = shake_hands(ask, options)
        before = available_bindings(tls_connection(client.transport))
        connection = tls_connection(server.transport)
        connection.renegotiate()
        with contextlib.suppress(SSL.Error):
            connection.do_handshake()
        client.transport.dataReceived(connection.bio_read(2**15))
        # RFC 5246 6.2.1: an alert (no_renegotiation) and not a handshake record.
        self.assertEqual(client.transport.transport.value()[0], 21)
        self.assertEqual(available_bindings(tls_connection(client.transport)), before)

    def test_pins(self):
        """The key of the server, or of a CA that vouches for it, must be pinned, where any is."""
        identity = Identity("example.org", self.authority)
        client, _ = shake_hands(self.options(self.authority.pem), identity.options())
        connection = tls_connection(client.transport)
        other = public_key_pin(Identity("example.org", self.authority).certificate)
        for known in identity, self.authority:
            pin = public_key_pin(known.certificate)
            check_peer(connection, "example.org", [pin])
            check_peer(connection, "example.org", {other, pin})
        check_peer(connection, "example.org", [])
        with self.assertRaises(WrongPeer) as caught:
            check_peer(connection, "example.org", [other])
        self.assertIn("pin-sha256", str(caught.exception))

    def test_pin_of_what_is_only_sent_along(self):
        """A pinned certificate that the server sends, but that vouches for nothing, is nothing."""
        pinned = Identity("Pinned CA", authority=True)
        options = Identity("example.org", self.authority).options(
            extraCertChain=[crypto.X509.from_cryptography(pinned.certificate)]
        )
        client, _ = shake_hands(self.options(self.authority.pem, pinned.pem), options)
        connection = tls_connection(client.transport)
        sent = [each.to_cryptography() for each in connection.get_peer_cert_chain()]
        self.assertIn(pinned.certificate, sent)
        with self.assertRaises(WrongPeer):
            check_peer(connection, "example.org", [public_key_pin(pinned.certificate)])

    def test_pin_as_openssl_computes_it(self):
        """A pin is the hash of the key's DER form, whatever else the certificate says."""
        key = self.authority.key
        for days in 1, 2:
            certificate = Identity("x", key=key, days=days).certificate
            der = key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            self.assertEqual(public_key_pin(certificate), hashlib.sha256(der).digest())

    def test_alpn(self):
        """On direct TLS we ask for xmpp-client; a server that picks something else is left."""
        direct = client_options("example.org", self.authority.pem, direct=True)
        identity = Identity("example.org", self.authority)
        knows = identity.options(acceptableProtocols=[b"h2", ALPN])
        ignores = identity.options()
        ignores.getContext().set_alpn_select_callback(
            lambda connection, offered: SSL.NO_OVERLAPPING_PROTOCOLS
        )
        for options, spoken in ((knows, ALPN), (ignores, b"")):
            client, server = shake_hands(direct, options)
            connection = tls_connection(client.transport)
            self.assertEqual(connection.get_alpn_proto_negotiated(), spoken)
            self.assertEqual(server.got, b"the password")
            check_peer(connection, "example.org", [])
        options = identity.options()
        options.getContext().set_alpn_select_callback(lambda connection, offered: b"h2")
        client, server = shake_hands(direct, options)
        if client.lost is None:
            with self.assertRaises(WrongPeer):
                check_peer(tls_connection(client.transport), "example.org", [])
        else:  # newer OpenSSLs refuse it themselves
            self.assertEqual(server.got, b"")

        class Http(MemoryConnection):
            def get_alpn_proto_negotiated(self):
                return b"h2"

        with self.assertRaises(WrongPeer) as caught:
            check_peer(Http(), "example.org", [])
        self.assertIn("ALPN", str(caught.exception))

    def test_starttls_has_no_alpn(self):
        """After STARTTLS the protocol is known: nothing is asked."""
        offered = []
        options = Identity("example.org", self.authority).options()
        options.getContext().set_alpn_select_callback(
            lambda connection, protocols: offered.append(protocols) or SSL.NO_OVERLAPPING_PROTOCOLS
        )
        shake_hands(self.options(self.authority.pem), options)
        self.assertEqual(offered, [])

    def test_client_certificate(self):
        """A server that asks who we are is shown our certificate, with what leads to its CA."""
        middle = Identity("Middle CA", self.authority, authority=True)
        ours = Identity("xbot@example.org", middle)
        certificate = ClientCertificate.load(ours.pem + middle.pem, ours.key_pem)
        for newest in SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION:
            options = limit(
                Identity("example.org", self.authority).options(
                    trustRoot=ssl.Certificate(
                        crypto.X509.from_cryptography(self.authority.certificate)
                    ),
                ),
                newest,
            )
            ask = client_options("example.org", self.authority.pem, certificate=certificate)
            _, server = shake_hands(ask, options)
            self.assertEqual(server.got, b"the password")
            shown = tls_connection(server.transport).get_peer_certificate().to_cryptography()
            self.assertEqual(shown, ours.certificate)


class BindingTests(unittest.TestCase):
    """Channel-binding data of real connections; both ends must compute the same."""

    def setUp(self):
        self.authority = Identity("Test CA", authority=True)

    def connect(self, newest, key=None, issuer=None):
        issuer = issuer or self.authority
        options = limit(Identity("example.org", issuer, key=key).options(), newest)
        ends = shake_hands(client_options("example.org", issuer.pem), options)
        self.assertEqual(ends[1].got, b"the password")
        return [tls_connection(end.transport) for end in ends]

    def test_tls_1_3(self):
        """RFC 9266: tls-exporter, the same on both sides and another on each connection."""
        client, server = self.connect(SSL.TLS1_3_VERSION)
        found = available_bindings(client)
        self.assertEqual(list(found), ["tls-exporter", "tls-server-end-point"])
        self.assertEqual(
            found["tls-exporter"],
            server.export_keying_material(b"EXPORTER-Channel-Binding", 32),
        )
        self.assertEqual(len(found["tls-exporter"]), 32)
        again = available_bindings(self.connect(SSL.TLS1_3_VERSION)[0])
        self.assertNotEqual(again["tls-exporter"], found["tls-exporter"])

    def test_tls_1_2(self):
        """RFC 5929 3: tls-unique is the client's Finished message, as no session is resumed."""
        client, server = self.connect(SSL.TLS1_2_VERSION)
        found = available_bindings(client)
        self.assertEqual(list(found), ["tls-unique", "tls-server-end-point"])
        self.assertEqual(found["tls-unique"], server.get_peer_finished())
        self.assertNotEqual(found["tls-unique"], server.get_finished())

    def test_no_session_is_resumed(self):
        """A second connection with the same options is a full handshake: ours is the first."""
        options = limit(
            Identity("example.org", self.authority).options(enableSessions=True),
            SSL.TLS1_2_VERSION,
        )
        ours = client_options("example.org", self.authority.pem)
        for _ in range(3):
            ends = shake_hands(ours, options)
            client, server = (tls_connection(end.transport) for end in ends)
            self.assertEqual(available_bindings(client)["tls-unique"], server.get_peer_finished())

    def test_end_point(self):
        """RFC 5929 4.1: the certificate's hash; SHA-1 and MD5 count as SHA-256."""
        client, server = self.connect(SSL.TLS1_3_VERSION)
        der = server.get_certificate().to_cryptography().public_bytes(serialization.Encoding.DER)
        self.assertEqual(
            available_bindings(client)["tls-server-end-point"], hashlib.sha256(der).digest()
        )

        class Signed:
            def __init__(self, algorithm):
                self.signature_hash_algorithm = algorithm

            def public_bytes(self, encoding):
                return b"the certificate"

        for algorithm, name in (
            (hashes.MD5(), "sha256"),
            (hashes.SHA1(), "sha256"),
            (hashes.SHA256(), "sha256"),
            (hashes.SHA384(), "sha384"),
            (hashes.SHA512(), "sha512"),
        ):
            expected = hashlib.new(name, b"the certificate").digest()
            self.assertEqual(end_point(Signed(algorithm)), expected)
        self.assertIsNone(end_point(Signed(None)))

    def test_no_end_point(self):
        """A certificate signed by EdDSA has no hash function: there is no end point."""
        authority = Identity("CA", authority=True, key=ed25519.Ed25519PrivateKey.generate())
        client, _ = self.connect(SSL.TLS1_3_VERSION, issuer=authority)
        self.assertEqual(list(available_bindings(client)), ["tls-exporter"])

    def test_no_tls(self):
        """Without TLS there is nothing to bind to."""
        self.assertEqual(available_bindings(None), {})
        self.assertIsNone(tls_connection(StringTransport()))

        class Plain:
            def getHandle(self):
                return "a socket"

        self.assertIsNone(tls_connection(Plain()))


class ClientCertificateTests(unittest.TestCase):
    def test_refused(self):
        """What is no certificate with its key is refused in words that show nothing of it."""
        ours, other = Identity("xbot@example.org"), Identity("xbot@example.org")
        locked = ours.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
        table = (
            (b"", ours.key_pem, "no PEM certificate"),
            (ours.key_pem, ours.key_pem, "no PEM certificate"),
            (ours.pem, b"", "no PEM private key"),
            (ours.pem, ours.pem, "no PEM private key"),
            (ours.pem, ours.key_pem[:100], "no PEM private key"),
            (ours.pem, locked, "passphrase"),
            (ours.pem, other.key_pem, "does not belong"),
            (other.pem + ours.pem, ours.key_pem, "does not belong"),
        )
        for certificates, key, reason in table:
            with self.assertRaises(ValueError) as caught:
                ClientCertificate.load(certificates, key)
            self.assertIn(reason, str(caught.exception))
            self.assertNotIn("PRIVATE", str(caught.exception))

    def test_nothing_is_shown(self):
        """A client certificate's representation shows neither."""
        ours = Identity("xbot@example.org")
        loaded = ClientCertificate.load(ours.pem, ours.key_pem)
        self.assertEqual(repr(loaded), "ClientCertificate()")


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
