"""SCRAM: test vectors of the RFCs, and malformed messages."""

from base64 import b64encode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from twisted.trial import unittest

from xbot.chat.xmpp.security.scram import (
    BadServer,
    Challenge,
    SaltedPasswords,
    ScramClient,
    salt_password,
)

VECTORS = {
    # RFC 5802, section 5
    "sha1": (
        "fyko+d2lbbFgONRv9qkxdawL",
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    # RFC 7677, section 3
    "sha256": (
        "rOprNGfwEbeRWgbNEkqO",
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
}


class VectorTests(unittest.TestCase):
    def test_vectors(self):
        """The RFCs' exchanges come out byte for byte."""
        for name, (nonce, first, final, success) in VECTORS.items():
            client = ScramClient(name, "user", nonce)
            self.assertEqual(client.first(), f"n,,n=user,r={nonce}".encode())
            challenge = client.read_challenge(first.encode())
            salted = salt_password(name, "pencil", challenge.salt, challenge.iterations)
            self.assertEqual(client.final(challenge, salted).decode(), final)
            client.check_success(challenge, salted, success.encode())
            client.check_success(challenge, salted, success.encode() + b",x=extension")

    def test_names(self):
        """A comma and an equals sign in a name are escaped, and the name is prepared."""
        for name, written in {"a,b=c": "a=2Cb=3Dc", "=2C": "=3D2C", "I\u00adX": "IX"}.items():
            self.assertEqual(ScramClient("sha1", name, "n").first(), f"n,,n={written},r=n".encode())

    def test_channel_binding(self):
        """The header and the binding data are repeated under the proof."""
        client = ScramClient("sha1", "user", "n", "p=tls-exporter,,", b"\x00data")
        final = client.final(client.read_challenge(b"r=nn,s=AA==,i=4096"), b"salted")
        self.assertTrue(
            final.startswith(b"c=" + b64encode(b"p=tls-exporter,,\x00data") + b",r=nn,p=")
        )

    def test_prepared_password(self):
        """A password is prepared before it is hashed, so that any keyboard can write it."""
        self.assertEqual(
            salt_password("sha1", "I\u00adX", b"salt", 4096),
            salt_password("sha1", "\u2168", b"salt", 4096),
        )

    def test_nothing_secret_is_shown(self):
        """A client's representation shows neither the nonce nor the binding."""
        client = ScramClient("sha1", "user", "the-nonce", "p=tls-exporter,,", b"the-binding")
        self.assertNotIn("the-nonce", repr(client))
        self.assertNotIn("the-binding", repr(client))


class IndependentTests(unittest.TestCase):
    def test_every_hash(self):
        """Each hash agrees with RFC 5802, section 3, written down a second time, bound or not."""
        first = "r=ours-theirs,s=c2FsdHNhbHQ=,i=4097"
        for name, algorithm in (
            ("sha1", hashes.SHA1()),
            ("sha256", hashes.SHA256()),
            ("sha512", hashes.SHA512()),
        ):
            for header, binding in ("n,,", b""), ("y,,", b""), ("p=tls-exporter,,", b"\x00\xff"):

                def mac(key, text, algorithm=algorithm):
                    code = HMAC(key, algorithm)
                    code.update(text)
                    return code.finalize()

                def digest(text, algorithm=algorithm):
                    hashed = hashes.Hash(algorithm)
                    hashed.update(text)
                    return hashed.finalize()

                client = ScramClient(name, "user", "ours", header, binding)
                challenge = client.read_challenge(first.encode())
                salted = PBKDF2HMAC(algorithm, algorithm.digest_size, b"saltsalt", 4097).derive(
                    b"pencil"
                )
                self.assertEqual(salt_password(name, "pencil", b"saltsalt", 4097), salted)
                bound = f"c={b64encode(header.encode() + binding).decode()},r=ours-theirs"
                message = f"n=user,r=ours,{first},{bound}".encode()
                key = mac(salted, b"Client Key")
                proof = bytes(a ^ b for a, b in zip(key, mac(digest(key), message), strict=True))
                self.assertEqual(
                    client.final(challenge, salted).decode(),
                    f"{bound},p={b64encode(proof).decode()}",
                )
                signature = b64encode(mac(mac(salted, b"Server Key"), message))
                client.check_success(challenge, salted, b"v=" + signature)


class SaltedPasswordsTests(unittest.TestCase):
    def test_keys(self):
        """What was salted is found under the same hash, salt and count alone."""
        known = SaltedPasswords()
        challenge = Challenge("", "", b"salt", 4096)
        known.keep("sha1", challenge, b"salted")
        self.assertEqual(known.get("sha1", Challenge("x", "y", b"salt", 4096)), b"salted")
        self.assertIsNone(known.get("sha256", challenge))
        self.assertIsNone(known.get("sha1", Challenge("", "", b"salt2", 4096)))
        self.assertIsNone(known.get("sha1", Challenge("", "", b"salt", 4097)))

    def test_bounded(self):
        """The latest few are kept, however often the server changes its mind."""
        known = SaltedPasswords()
        for number in range(100):
            known.keep("sha1", Challenge("", "", b"salt", number), b"%d" % number)
        self.assertEqual(known.get("sha1", Challenge("", "", b"salt", 99)), b"99")
        self.assertIsNone(known.get("sha1", Challenge("", "", b"salt", 90)))
        self.assertLessEqual(len(known._known), SaltedPasswords.MAX)

    def test_nothing_secret_is_shown(self):
        """Its representation shows nothing that was salted."""
        known = SaltedPasswords()
        known.keep("sha1", Challenge("", "", b"salt", 4096), b"derived")
        self.assertNotIn("derived", repr(known) + str(known))


class RefusalTests(unittest.TestCase):
    def test_challenges(self):
        """A challenge that is none is refused before any work is done for it."""
        table = {
            "nonce not ours": ("r=xours1,s=AAAA,i=4096", "a nonce that does not extend ours"),
            "nonce cut": ("r=our,s=AAAA,i=4096", "a nonce that does not extend ours"),
            "nonce equal": ("r=ours,s=AAAA,i=4096", "a nonce that does not extend ours"),
            "1 iteration": ("r=ours1,s=AAAA,i=1", "1 iterations, outside 4096 to 600000"),
            "too few": ("r=ours1,s=AAAA,i=4095", "4095 iterations, outside 4096 to 600000"),
            "too many": ("r=ours1,s=AAAA,i=600001", "600001 iterations, outside 4096 to 600000"),
            "far too many": (
                "r=ours1,s=AAAA,i=10000000",
                "10000000 iterations, outside 4096 to 600000",
            ),
            "huge": ("r=ours1,s=AAAA,i=" + "9" * 1000, "an iteration count that is not a number"),
            "negative": ("r=ours1,s=AAAA,i=-4096", "an iteration count that is not a number"),
            "word": ("r=ours1,s=AAAA,i=many", "an iteration count that is not a number"),
            "other digits": (
                "r=ours1,s=AAAA,i=\u0664\u0660\u0669\u0666",
                "an iteration count that is not a number",
            ),
            "no count": ("r=ours1,s=AAAA,i=", "an iteration count that is not a number"),
            "mandatory extension": ("m=x,r=ours1,s=AAAA,i=4096", "a malformed challenge"),
            "order": ("s=AAAA,r=ours1,i=4096", "a malformed challenge"),
            "no salt field": ("r=ours1,i=4096", "a malformed challenge"),
            "nothing": ("", "a malformed challenge"),
            "empty salt": ("r=ours1,s=,i=4096", "no salt"),
            "bad base64": ("r=ours1,s=A,i=4096", "broken base64"),
            "no base64": ("r=ours1,s=\u00e4\u00e4==,i=4096", "broken base64"),
            "too long": ("r=ours1,s=AAAA,i=4096," + "x" * 4096, "a challenge that is too long"),
            "not UTF-8": (b"r=ours\xff,s=AAAA,i=4096", "a message that is not UTF-8"),
            "error": ("e=unknown-user", "a malformed challenge"),
        }
        client = ScramClient("sha1", "user", "ours")
        for what, (text, reason) in table.items():
            with self.assertRaises(BadServer, msg=what) as caught:
                client.read_challenge(text if isinstance(text, bytes) else text.encode())
            self.assertEqual(str(caught.exception), reason, what)

    def test_bounds(self):
        """The fewest and the most iterations are taken, and unknown extensions behind them."""
        client = ScramClient("sha1", "user", "ours")
        for count in 4096, 600_000:
            challenge = client.read_challenge(f"r=ours1,s=AAAA,i={count},x=y".encode())
            self.assertEqual(challenge.iterations, count)

    def test_signatures(self):
        """A server that does not prove that it knows the password is not believed."""
        nonce, first, _, success = VECTORS["sha1"]
        client = ScramClient("sha1", "user", nonce)
        challenge = client.read_challenge(first.encode())
        salted = salt_password("sha1", "pencil", challenge.salt, challenge.iterations)
        table = {
            "wrong": (b"v=" + b64encode(bytes(20)), "a wrong signature from the server"),
            "short": (success[:10].encode(), "a wrong signature from the server"),
            "empty": (b"v=", "a wrong signature from the server"),
            "missing": (b"", "no signature from the server"),
            "error": (b"e=invalid-proof", "no signature from the server"),
            "second": (b"x=y," + success.encode(), "no signature from the server"),
            "bad base64": (b"v=A", "broken base64"),
            "not UTF-8": (b"v=\xff", "a message that is not UTF-8"),
        }
        for what, (data, reason) in table.items():
            with self.assertRaises(BadServer, msg=what) as caught:
                client.check_success(challenge, salted, data)
            self.assertEqual(str(caught.exception), reason, what)
