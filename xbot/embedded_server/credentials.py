"""The server's half of SASL PLAIN and SCRAM, as values in and values out (RFC 4616, RFC 5802)."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import field, frozen

from xbot.model.errors import XbotError

#: RFC 5802 5.1: the least that a client accepts; more would only slow tests down.
ITERATIONS = 4096

#: Longer nonces and names than this are nobody's.
MAX_FIELD = 1024

#: The mechanisms known here, with the hash each uses; best first.
SCRAM_HASHES = {
    "SCRAM-SHA-512-PLUS": "sha512",
    "SCRAM-SHA-256-PLUS": "sha256",
    "SCRAM-SHA-1-PLUS": "sha1",
    "SCRAM-SHA-512": "sha512",
    "SCRAM-SHA-256": "sha256",
    "SCRAM-SHA-1": "sha1",
}


class SaslError(XbotError):
    """A login is refused, with this condition of RFC 6120 6.5."""

    def __init__(self, condition: str) -> None:
        super().__init__(condition)
        self.condition = condition


@frozen
class Account:
    """A local part, its password, and a salt of its own."""

    local: str
    password: str = field(repr=False)
    salt: bytes = field(repr=False)
    _keys: dict[str, tuple[bytes, bytes]] = field(factory=dict, repr=False, init=False, eq=False)

    def scram_keys(self, hash_name: str) -> tuple[bytes, bytes]:
        """RFC 5802 3: StoredKey and ServerKey."""
        if hash_name not in self._keys:
            password = _normalised(self.password).encode()
            salted = hashlib.pbkdf2_hmac(hash_name, password, self.salt, ITERATIONS)
            client_key = hmac.digest(salted, b"Client Key", hash_name)
            stored_key = hashlib.new(hash_name, client_key).digest()
            self._keys[hash_name] = (stored_key, hmac.digest(salted, b"Server Key", hash_name))
        return self._keys[hash_name]

    def accepts(self, password: str) -> bool:
        """Whether this is the password."""
        return hmac.compare_digest(
            _normalised(password).encode(), _normalised(self.password).encode()
        )


#: Finds an account by the name that a client typed, or None.
FindAccount = Callable[[str], Account | None]

#: Says whether an account may act as this authorization identity (a JID).
AllowsAuthzid = Callable[[Account, str], bool]


def decode(text: str) -> bytes:
    """The bytes of a SASL payload; RFC 6120 6.4.2: ``=`` stands for none."""
    if text == "=":
        return b""
    try:
        return b64decode(text.encode("ascii"), validate=True)
    except (Base64Error, UnicodeEncodeError) as error:
        raise SaslError("incorrect-encoding") from error


def encode(payload: bytes) -> str:
    """The text of a SASL payload."""
    return b64encode(payload).decode("ascii") or "="


def check_plain(payload: bytes, find: FindAccount, allows: AllowsAuthzid) -> Account:
    """RFC 4616 2: whose login this is, or :class:`SaslError`."""
    try:
        authzid, authcid, password = payload.decode("utf-8").split("\0")
    except ValueError as error:
        raise SaslError("malformed-request") from error
    account = find(authcid)
    if account is None or not account.accepts(password):
        raise SaslError("not-authorized")
    if authzid and not allows(account, authzid):
        raise SaslError("invalid-authzid")
    return account


class Scram:
    """One SCRAM login: :meth:`challenge`, then :meth:`verify`; each once, in this order.

    ``bindings`` is what the connection can be bound with, by type. A -PLUS
    mechanism wants one of them (``p=``); without it a client may say that it has
    none (``n``) or, where there is none, that it sees we have none (``y``).
    """

    def __init__(
        self,
        mechanism: str,
        find: FindAccount,
        allows: AllowsAuthzid,
        nonce: str,
        bindings: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        self._hash = SCRAM_HASHES[mechanism]
        self._is_plus = mechanism.endswith("-PLUS")
        self._bindings = bindings
        self._bound = b""
        self._find = find
        self._allows = allows
        self._nonce = nonce
        self._account: Account | None = None
        self._gs2 = ""
        self._said = ""

    def challenge(self, payload: bytes) -> bytes:
        """The server-first-message for a client-first-message (RFC 5802 7)."""
        flag, comma, rest = _text(payload).partition(",")
        authzid, second_comma, bare = rest.partition(",")
        if not (comma and second_comma):
            raise SaslError("malformed-request")
        self._check_flag(flag)
        fields = bare.split(",")
        # RFC 5802 5.1: "m=" in front is an extension we must not ignore.
        if len(fields) < 2 or not (fields[0].startswith("n=") and fields[1].startswith("r=")):
            raise SaslError("malformed-request")
        client_nonce = fields[1][2:]
        if not client_nonce or not all("!" <= character <= "~" for character in client_nonce):
            raise SaslError("malformed-request")
        self._account = self._find(_unescaped(fields[0][2:]))
        if self._account is None:
            raise SaslError("not-authorized")
        if authzid:
            asked = _unescaped(authzid.removeprefix("a="))
            if not authzid.startswith("a=") or not self._allows(self._account, asked):
                raise SaslError("invalid-authzid")
        self._gs2 = f"{flag},{authzid},"
        self._nonce = client_nonce + self._nonce
        first = f"r={self._nonce},s={encode(self._account.salt)},i={ITERATIONS}"
        self._said = f"{bare},{first}"
        return first.encode()

    def verify(self, payload: bytes) -> tuple[Account, bytes]:
        """Whose login this is, and the server-final-message that proves us too."""
        without_proof, separator, proof_text = _text(payload).rpartition(",p=")
        account = self._account
        if account is None or not separator:
            raise SaslError("malformed-request")
        fields = _fields(without_proof)
        expected = {"c": encode(self._gs2.encode() + self._bound), "r": self._nonce}
        # RFC 5802 5.1: both must be what was said before; this is what stops a
        # man in the middle from changing the first message.
        if any(fields.get(key) != value for key, value in expected.items()):
            raise SaslError("not-authorized")
        proof = decode(proof_text)
        stored_key, server_key = account.scram_keys(self._hash)
        said = f"{self._said},{without_proof}".encode()
        signature = hmac.digest(stored_key, said, self._hash)
        if len(proof) != len(signature):
            raise SaslError("not-authorized")
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        if not hmac.compare_digest(hashlib.new(self._hash, client_key).digest(), stored_key):
            raise SaslError("not-authorized")
        return account, b"v=" + b64encode(hmac.digest(server_key, said, self._hash))

    def _check_flag(self, flag: str) -> None:
        """RFC 5802 6: what the client says of channel binding fits what it was offered."""
        if self._is_plus:
            kind = flag.removeprefix("p=")
            if kind == flag or kind not in self._bindings:
                raise SaslError("malformed-request")
            self._bound = self._bindings[kind]
        elif flag not in ("n", "y"):
            raise SaslError("malformed-request")
        elif flag == "y" and self._bindings:
            # It did not see the -PLUS that we offered: somebody took it out.
            raise SaslError("not-authorized")


def _fields(text: str) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    for item in text.split(","):
        key, equals, value = item.partition("=")
        if not equals or key in fields:
            raise SaslError("malformed-request")
        fields[key] = value
    return fields


def _text(payload: bytes) -> str:
    if len(payload) > 4 * MAX_FIELD:
        raise SaslError("malformed-request")
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SaslError("malformed-request") from error


def _unescaped(name: str) -> str:
    """RFC 5802 5.1: a comma is written ``=2C`` and an equals sign ``=3D``, nothing else."""
    plain = name.replace("=2C", ",")
    if "=" in plain.replace("=3D", ""):
        raise SaslError("malformed-request")
    return plain.replace("=3D", "=")


def _normalised(password: str) -> str:
    # SASLprep (RFC 4013) is NFKC for every password that people really have.
    return unicodedata.normalize("NFKC", password)
