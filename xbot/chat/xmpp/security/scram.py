"""SCRAM, the client's side, without a socket (RFC 5802, RFC 7677)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as BadBase64

from attrs import field, frozen

from xbot.text.saslprep import saslprep

#: RFC 7677 4: servers announce at least 4,096. Fewer is a downgrade, far more
#: is an attack on our processor.
MIN_ITERATIONS = 4096
MAX_ITERATIONS = 600_000

#: A challenge is a nonce, a salt and a number; nothing honest is longer.
MAX_CHALLENGE = 4096


class BadServer(Exception):
    """The server did not keep to SCRAM, or is not the one that knows our password."""


@frozen
class Challenge:
    """A server-first-message that passed every check; ``text`` is its own words."""

    text: str
    nonce: str
    salt: bytes
    iterations: int


@frozen(eq=False, repr=False)
class ScramClient:
    """One exchange: :meth:`first`, :meth:`read_challenge`, :meth:`final`, :meth:`check_success`.

    ``hash_name`` is hashlib's (``sha1``, ``sha256``, ``sha512``). ``nonce`` is
    printable, without a comma, and new for each exchange. ``gs2_header`` says
    what we hold of channel binding (RFC 5802, section 6), and ``binding_data``
    is what the TLS connection gave where it begins with ``p=``.
    """

    hash_name: str
    username: str
    nonce: str = field(repr=False)
    gs2_header: str = "n,,"
    binding_data: bytes = field(default=b"", repr=False)

    def first(self) -> bytes:
        """The client-first-message."""
        return (self.gs2_header + self._first_bare).encode()

    def read_challenge(self, data: bytes) -> Challenge:
        """Check the server-first-message.

        :raises BadServer: before any work is done for it.
        """
        if len(data) > MAX_CHALLENGE:
            raise BadServer("a challenge that is too long")
        text = _decoded(data)
        # RFC 5802 5.1: a mandatory extension ("m=") that we do not know ends it;
        # the order of the first three is fixed.
        fields = [part.partition("=") for part in text.split(",")]
        if len(fields) < 3 or [name for name, _, _ in fields[:3]] != ["r", "s", "i"]:
            raise BadServer("a challenge of another form")
        nonce, salt_text, count = (value for _, _, value in fields[:3])
        if not nonce.startswith(self.nonce) or len(nonce) == len(self.nonce):
            raise BadServer("a nonce that is not ours continued")
        salt = _from_base64(salt_text.encode())
        if not salt:
            raise BadServer("no salt")
        if not (count.isascii() and count.isdigit() and len(count) <= 9):
            raise BadServer("an iteration count that is no number")
        iterations = int(count)
        if not MIN_ITERATIONS <= iterations <= MAX_ITERATIONS:
            raise BadServer(
                f"{iterations} iterations, outside {MIN_ITERATIONS} to {MAX_ITERATIONS}"
            )
        return Challenge(text, nonce, salt, iterations)

    def final(self, challenge: Challenge, salted_password: bytes) -> bytes:
        """The client-final-message: the proof that we know the password."""
        client_key = self._hmac(salted_password, b"Client Key")
        stored_key = hashlib.new(self.hash_name, client_key).digest()
        without_proof = self._final_without_proof(challenge)
        signature = self._hmac(stored_key, self._auth_message(challenge))
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return f"{without_proof},p={b64encode(proof).decode()}".encode()

    def check_success(self, challenge: Challenge, salted_password: bytes, data: bytes) -> None:
        """Check the server-final-message: the proof that the server knows it too.

        :raises BadServer: when it does not.
        """
        server_key = self._hmac(salted_password, b"Server Key")
        expected = self._hmac(server_key, self._auth_message(challenge))
        verifier = _decoded(data).split(",")[0]
        if not verifier.startswith("v="):
            raise BadServer("no signature of the server's")
        if not hmac.compare_digest(_from_base64(verifier[2:].encode()), expected):
            raise BadServer("a wrong signature of the server's")

    @property
    def _first_bare(self) -> str:
        # RFC 5802 5.1: "=" and "," in a name are written "=3D" and "=2C".
        name = saslprep(self.username).replace("=", "=3D").replace(",", "=2C")
        return f"n={name},r={self.nonce}"

    def _final_without_proof(self, challenge: Challenge) -> str:
        binding = b64encode(self.gs2_header.encode() + self.binding_data).decode()
        return f"c={binding},r={challenge.nonce}"

    def _auth_message(self, challenge: Challenge) -> bytes:
        parts = (self._first_bare, challenge.text, self._final_without_proof(challenge))
        return ",".join(parts).encode()

    def _hmac(self, key: bytes, text: bytes) -> bytes:
        return hmac.digest(key, text, self.hash_name)


class SaltedPasswords:
    """What :func:`salt_password` made of one account's password, so that logging in again is cheap.

    The keys are what the server chose: hash, salt, iterations. The latest few are kept.
    """

    MAX = 4

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes, int], bytes] = {}

    def get(self, hash_name: str, challenge: Challenge) -> bytes | None:
        """The salted password for ``challenge``, if it was computed before."""
        return self._known.get((hash_name, challenge.salt, challenge.iterations))

    def keep(self, hash_name: str, challenge: Challenge, salted: bytes) -> None:
        """Remember one, once the server has proved that it knows it too."""
        key = (hash_name, challenge.salt, challenge.iterations)
        self._known.pop(key, None)
        self._known[key] = salted
        while len(self._known) > self.MAX:
            del self._known[next(iter(self._known))]


def salt_password(hash_name: str, password: str, salt: bytes, iterations: int) -> bytes:
    """``Hi()`` of RFC 5802, section 2.2. Slow by intent (0.2 s): not for the reactor's thread."""
    return hashlib.pbkdf2_hmac(hash_name, saslprep(password).encode(), salt, iterations)


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadServer("a message that is not UTF-8") from None


def _from_base64(data: bytes) -> bytes:
    try:
        return b64decode(data, validate=True)
    except BadBase64:
        raise BadServer("broken base64") from None
