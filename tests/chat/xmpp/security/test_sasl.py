"""SASL logins against a scripted server."""

import hashlib
import hmac
from base64 import b64decode, b64encode

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.harness import (
    BIND,
    JID,
    PASSWORD,
    TLS_OPTIONS,
    Peer,
    features,
    in_thread,
    make_factory,
    mechanisms,
    parse,
    sasl,
)
from xbot.chat.xmpp.stream.login import Account, Login
from xbot.chat.xmpp.stream.stream import StreamFactory
from xbot.chat.xmpp.wire.errors import LoginRefused, ProtocolViolation
from xbot.config.settings import Secret

SALT = b"a salt of sixteen"


class ScramServer:
    """SCRAM server (RFC 5802), independent of the code under test."""

    def __init__(self, peer, hash_name, password=PASSWORD):
        self.peer, self.hash_name, self.password = peer, hash_name, password
        sent = peer.sent()
        auth = parse(sent[sent.index("<auth") :])
        self.first = b64decode(str(auth)).decode()
        self.mechanism = auth["mechanism"]
        self.nonce = self.first.partition(",r=")[2]
        self.server_nonce = self.nonce + "3rfcNHYJY1ZVvWVs7j"
        self.heard = [self.first]
        self.said = ""

    def say(self, name, text):
        self.peer.feed(sasl(name, b64encode(text.encode()).decode()))

    def challenge(self, iterations=4096):
        self.said = f"r={self.server_nonce},s={b64encode(SALT).decode()},i={iterations}"
        self.say("challenge", self.said)

    def _hmac(self, key, text):
        return hmac.new(key, text, self.hash_name).digest()

    def check(self):
        """Check our proof; gives the server's own."""
        signature = self.signature()
        assert self.is_proved
        return signature

    def signature(self):
        """The server's own proof, whatever ours is worth."""
        final = b64decode(str(parse(self.peer.sent()))).decode()
        self.heard.append(final)
        without_proof, _, proof = final.rpartition(",p=")
        salted = hashlib.pbkdf2_hmac(self.hash_name, self.password.encode(), SALT, 4096)
        message = ",".join((self.first.removeprefix("n,,"), self.said, without_proof)).encode()
        key = self._hmac(salted, b"Client Key")
        signature = self._hmac(hashlib.new(self.hash_name, key).digest(), message)
        assert without_proof == f"c=biws,r={self.server_nonce}"
        expected = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        self.is_proved = b64decode(proof) == expected
        return "v=" + b64encode(self._hmac(self._hmac(salted, b"Server Key"), message)).decode()

    def succeed(self):
        self.say("success", self.check())


def scram(*offered):
    """A peer that offered this, and the server's side of what came."""
    peer = Peer()
    peer.start_tls()
    peer.feed(features(mechanisms(*(offered or ("SCRAM-SHA-1",)))))
    return peer, ScramServer(peer, "sha1")


class ScramTests(unittest.TestCase):
    def assert_refused(self, peer, text):
        self.assertIsInstance(peer.stream.problem, ProtocolViolation)
        self.assertIn(text, str(peer.stream.problem))
        self.assertIsNone(peer.stream.authenticator.jid)

    def test_nonce_is_new(self):
        """Each exchange has a nonce of its own, of at least 128 bits."""
        nonces = {scram()[1].nonce for _ in range(10)}
        self.assertEqual(len(nonces), 10)
        self.assertTrue(all(len(nonce) >= 22 and "," not in nonce for nonce in nonces))

    def test_early_success(self):
        """Success before any proof is no success."""
        for data in "", "=", b64encode(b"v=AAAA").decode():
            peer, _ = scram()
            peer.feed(sasl("success", data))
            self.assert_refused(peer, "success before any proof")

    def test_success_without_the_servers_proof(self):
        """A server that does not prove that it knows the password is left."""
        table = {
            "": "no signature",
            "=": "no signature",
            b64encode(b"e=other-error").decode(): "no signature",
            b64encode(b"v=" + b64encode(bytes(20))).decode(): "a wrong signature",
            "!": "broken base64",
            "\u00e4": "broken base64",
        }
        for data, reason in table.items():
            peer, server = scram()
            server.challenge()
            server.check()
            peer.feed(sasl("success", data))
            self.assert_refused(peer, reason)

    def test_another_password(self):
        """A server that knows another password than ours does not get us."""
        peer, server = scram()
        server.challenge()
        server.password = "pencil2"
        server.say("success", server.signature())
        self.assert_refused(peer, "a wrong signature")

    def test_signature_in_a_challenge(self):
        """A server may prove itself in a last challenge; success follows our empty answer."""
        peer, server = scram()
        server.challenge()
        server.say("challenge", server.check())
        self.assertEqual(peer.sent(), "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
        peer.feed(sasl("success"))
        peer.feed(features(BIND))
        self.assertIsNone(peer.stream.problem)
        self.assertIn("<bind", peer.sent())

    def test_endless_challenges(self):
        """One challenge more than there is something to say ends it."""
        peer, server = scram()
        server.challenge()
        server.say("challenge", server.check())
        server.say("challenge", "again")
        self.assert_refused(peer, "a challenge after its signature")

    def test_bad_challenges(self):
        """A challenge that cannot be read, or asks too much or too little, ends the login."""
        peer, server = scram()
        for iterations in 1, 4095, 10_000_000:
            peer, server = scram()
            server.challenge(iterations)
            self.assert_refused(peer, f"{iterations} iterations")
            self.assertNotIn("<response", peer.sent())
        for data, reason in {"!": "broken base64", "": "malformed", "=": "malformed"}.items():
            peer, _ = scram()
            peer.feed(sasl("challenge", data))
            self.assert_refused(peer, reason)
        peer, server = scram()
        server.say("challenge", "x" * 100_000)
        self.assert_refused(peer, "too long")

    def test_failure_after_the_proof(self):
        """The refusal of our proof is told as the refusal of our credentials."""
        peer, server = scram()
        server.challenge()
        peer.feed(sasl("failure", "<not-authorized/>"))
        self.assertIsInstance(peer.stream.problem, LoginRefused)
        self.assertTrue(peer.stream.problem.final)

    def test_something_else(self):
        """An element that SASL does not know, or of another namespace, ends the login."""
        for text in sasl("abort"), "<success/>", "<challenge xmlns='urn:x'/>":
            peer, _ = scram()
            peer.feed(text)
            self.assert_refused(peer, "in the middle of the login")


class Counted:
    """A fake ``in_thread`` that counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, function):
        self.calls += 1
        return succeed(function())


class CachedTests(unittest.TestCase):
    def setUp(self):
        self.in_thread = Counted()
        self.clock = Clock()
        self.factory = make_factory(self.clock, self.in_thread)

    def connect(self, name="SCRAM-SHA-1"):
        peer = Peer(self.factory, self.clock)
        peer.start_tls()
        peer.feed(features(mechanisms(name)))
        return peer, ScramServer(peer, {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-512": "sha512"}[name])

    def test_the_second_login_is_cheap(self):
        """PBKDF2 runs once for each hash, salt and count, however often we log in."""
        for name, calls in (
            ("SCRAM-SHA-1", 1), ("SCRAM-SHA-1", 1), ("SCRAM-SHA-512", 2), ("SCRAM-SHA-1", 2),
        ):  # fmt: skip
            peer, server = self.connect(name)
            server.challenge()
            server.succeed()
            peer.sent()
            peer.feed(features(BIND))
            self.assertIn("<bind", peer.sent())
            self.assertEqual(self.in_thread.calls, calls)

    def test_only_what_proved_true_is_kept(self):
        """A server that does not prove itself leaves nothing behind."""
        for _ in range(2):
            peer, server = self.connect()
            server.challenge()
            server.password = "another"
            server.say("success", server.signature())
            self.assertIsInstance(peer.stream.problem, ProtocolViolation)
        self.assertEqual(self.in_thread.calls, 2)


class ExternalTests(unittest.TestCase):
    def connect(self, password=None, offered=("PLAIN", "SCRAM-SHA-1", "EXTERNAL")):
        clock = Clock()
        account = Account(JID, password, TLS_OPTIONS, has_certificate=True)
        factory = StreamFactory(lambda: Login(account, clock, in_thread), "example.org", clock)
        peer = Peer(factory, clock)
        peer.start_tls()
        peer.sent()
        peer.feed(features(mechanisms(*offered)))
        return peer

    def test_first_choice(self):
        """With a client certificate EXTERNAL comes first, and names nobody (XEP-0178 2)."""
        for password in None, Secret(PASSWORD):
            peer = self.connect(password)
            self.assertEqual(
                peer.sent(),
                "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>",
            )
            peer.feed(sasl("success"))
            peer.sent()
            peer.feed(features(BIND))
            self.assertIn("<bind", peer.sent())

    def test_challenged(self):
        """EXTERNAL has no challenge for us: a server that sends one is left."""
        peer = self.connect()
        peer.feed(sasl("challenge"))
        self.assertIn("challenges EXTERNAL", str(peer.stream.problem))

    def test_not_offered(self):
        """Where EXTERNAL is not offered the password will do; without one nothing is said."""
        peer = self.connect(Secret(PASSWORD), ("SCRAM-SHA-1",))
        self.assertIn("mechanism='SCRAM-SHA-1'", peer.sent())
        peer = self.connect(None, ("SCRAM-SHA-1", "PLAIN"))
        self.assertEqual(peer.sent(), "</stream:stream>")
        self.assertIn("offers no login", str(peer.stream.problem))

    def test_not_without_a_certificate(self):
        """Without a client certificate EXTERNAL is not tried."""
        peer = Peer()
        peer.start_tls()
        peer.feed(features(mechanisms("EXTERNAL", "PLAIN")))
        self.assertIn("mechanism='PLAIN'", peer.sent())


class PlainTests(unittest.TestCase):
    def test_challenged(self):
        """PLAIN has no challenge: a server that sends one is left, with nothing more said."""
        peer = Peer()
        peer.start_tls()
        peer.feed(features(mechanisms("PLAIN")))
        peer.sent()
        peer.feed(sasl("challenge"))
        self.assertIn("challenges PLAIN", str(peer.stream.problem))
        self.assertEqual(peer.sent(), "</stream:stream>")
