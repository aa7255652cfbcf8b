"""SCRAM client, sans-I/O: bytes in, bytes out (RFC 5802, RFC 7677)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as BadBase64

from attrs import field, frozen

from xbot.text.saslprep import saslprep

#: Limits of the iteration count. RFC 7677 4: at least 4,096; fewer is a downgrade. Far more
#: is a denial-of-service attack on our CPU.
MIN_ITERATIONS = 4096
MAX_ITERATIONS = 600_000

#: Maximum size of a challenge (nonce, salt, number), in bytes.
MAX_CHALLENGE = 4096


class BadServer(Exception):
    """The server broke the rules of SCRAM, or could not prove that it knows our password."""


@frozen
class Challenge:
    """A server-first-message that passed every check; ``text`` is the message itself."""

    text: str
    nonce: str
    salt: bytes
    iterations: int


@frozen(eq=False, repr=False)
class ScramClient:
    """One SCRAM login: :meth:`first`, :meth:`read_challenge`, :meth:`final`, :meth:`check_success`.

    ``hash_name`` is hashlib's (``sha1``, ``sha256``, ``sha512``). ``nonce`` is
    printable, without a comma, and new for each login. ``gs2_header`` holds the
    channel-binding flag (RFC 5802, section 6); ``binding_data`` is the TLS connection's
    channel-binding data where that flag is ``p=``.
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

        :raises BadServer: when it is not valid; before any key derivation.
        """
        if len(data) > MAX_CHALLENGE:
            raise BadServer("a challenge that is too long")
        text = _decoded(data)
        # RFC 5802 5.1: the order of the first three attributes is fixed; an unknown
        # mandatory extension ("m=") must fail.
        fields = [part.partition("=") for part in text.split(",")]
        if len(fields) < 3 or [name for name, _, _ in fields[:3]] != ["r", "s", "i"]:
            raise BadServer("a malformed challenge")
        nonce, salt_text, count = (value for _, _, value in fields[:3])
        if not nonce.startswith(self.nonce) or len(nonce) == len(self.nonce):
            raise BadServer("a nonce that does not extend ours")
        salt = _from_base64(salt_text.encode())
        if not salt:
            raise BadServer("no salt")
        if not (count.isascii() and count.isdigit() and len(count) <= 9):
            raise BadServer("an iteration count that is not a number")
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
        """Check the server-final-message: the proof that the server knows the password.

        :raises BadServer: when the proof is missing or wrong.
        """
        server_key = self._hmac(salted_password, b"Server Key")
        expected = self._hmac(server_key, self._auth_message(challenge))
        verifier = _decoded(data).split(",")[0]
        if not verifier.startswith("v="):
            raise BadServer("no signature from the server")
        if not hmac.compare_digest(_from_base64(verifier[2:].encode()), expected):
            raise BadServer("a wrong signature from the server")

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
    """Cache of the results of :func:`salt_password` for one password, to make reconnects cheap.

    Keyed by what the server chose: hash, salt, iterations. The latest MAX entries are kept.
    """

    MAX = 4

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes, int], bytes] = {}

    def get(self, hash_name: str, challenge: Challenge) -> bytes | None:
        """The cached salted password for ``challenge``, or None."""
        return self._known.get((hash_name, challenge.salt, challenge.iterations))

    def keep(self, hash_name: str, challenge: Challenge, salted: bytes) -> None:
        """Cache one; call it only after the server has proved that it knows the password."""
        key = (hash_name, challenge.salt, challenge.iterations)
        self._known.pop(key, None)
        self._known[key] = salted
        while len(self._known) > self.MAX:
            del self._known[next(iter(self._known))]


def salt_password(hash_name: str, password: str, salt: bytes, iterations: int) -> bytes:
    """``Hi()`` of RFC 5802, section 2.2 (PBKDF2). Takes 0.2 s: never in the reactor's thread."""
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
