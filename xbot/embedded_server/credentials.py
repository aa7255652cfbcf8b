"""SASL PLAIN and SCRAM, server side, sans-I/O (RFC 4616, RFC 5802)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import field, frozen

from xbot.chat.xmpp.security.mechanisms import PLUS
from xbot.chat.xmpp.security.sasl import HASHES
from xbot.chat.xmpp.security.scram import salt_password
from xbot.model.errors import XbotError
from xbot.text.saslprep import saslprep

#: RFC 5802 5.1: the minimum that clients accept; more would only slow down tests.
ITERATIONS = 4096

#: Basis for the maximum message size (4 * MAX_FIELD bytes).
MAX_FIELD = 1024


class SaslError(XbotError):
    """The login is refused; ``condition`` is the SASL error condition (RFC 6120 6.5)."""

    def __init__(self, condition: str) -> None:
        super().__init__(condition)
        self.condition = condition


@frozen
class Account:
    """An account: local part, password and salt."""

    local: str
    password: str = field(repr=False)
    salt: bytes = field(repr=False)
    _keys: dict[str, tuple[bytes, bytes]] = field(factory=dict, repr=False, init=False, eq=False)

    def scram_keys(self, hash_name: str) -> tuple[bytes, bytes]:
        """(StoredKey, ServerKey) for a hash function, cached (RFC 5802 3)."""
        if hash_name not in self._keys:
            salted = salt_password(hash_name, self.password, self.salt, ITERATIONS)
            client_key = hmac.digest(salted, b"Client Key", hash_name)
            stored_key = hashlib.new(hash_name, client_key).digest()
            self._keys[hash_name] = (stored_key, hmac.digest(salted, b"Server Key", hash_name))
        return self._keys[hash_name]

    def accepts(self, password: str) -> bool:
        """Whether ``password`` is right; constant-time comparison."""
        try:
            given = saslprep(password)
        except ValueError:
            return False
        return hmac.compare_digest(given.encode(), saslprep(self.password).encode())


#: Finds an account by the name that a client typed, or None.
FindAccount = Callable[[str], Account | None]

#: Says whether an account may act as this authorization identity (a JID).
AllowsAuthzid = Callable[[Account, str], bool]


def decode(text: str) -> bytes:
    """Decode a SASL payload; ``=`` means no data (RFC 6120 6.4.2)."""
    if text == "=":
        return b""
    try:
        return b64decode(text.encode("ascii"), validate=True)
    except (Base64Error, UnicodeEncodeError) as error:
        raise SaslError("incorrect-encoding") from error


def encode(payload: bytes) -> str:
    """Encode a SASL payload; no data becomes ``=``."""
    return b64encode(payload).decode("ascii") or "="


def check_plain(payload: bytes, find: FindAccount, allows: AllowsAuthzid) -> Account:
    """Check a PLAIN login; returns its account or raises :class:`SaslError` (RFC 4616 2)."""
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
    """One SCRAM login: call :meth:`challenge`, then :meth:`verify`, once each.

    ``bindings`` is the connection's channel-binding data by type. A -PLUS mechanism
    requires one of them (flag ``p=``). Otherwise the client's flag is ``n`` (it cannot
    bind) or ``y`` (it could, but saw no -PLUS): allowed only if we offered none.
    """

    def __init__(
        self,
        mechanism: str,
        find: FindAccount,
        allows: AllowsAuthzid,
        nonce: str,
        bindings: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        self._hash = HASHES[mechanism.removesuffix(PLUS)]
        self._is_plus = mechanism.endswith(PLUS)
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
        # RFC 5802 5.1: "m=" in front is a mandatory extension; none is supported.
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
        """Check the client's proof; returns the account and the server-final-message."""
        without_proof, separator, proof_text = _text(payload).rpartition(",p=")
        account = self._account
        if account is None or not separator:
            raise SaslError("malformed-request")
        fields = _fields(without_proof)
        expected = {"c": encode(self._gs2.encode() + self._bound), "r": self._nonce}
        # RFC 5802 5.1: both must repeat the first messages; this detects a man in the
        # middle who changed them.
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
        """Check that the gs2 flag agrees with the mechanism and with our offer (RFC 5802 6)."""
        if self._is_plus:
            kind = flag.removeprefix("p=")
            if kind == flag or kind not in self._bindings:
                raise SaslError("malformed-request")
            self._bound = self._bindings[kind]
        elif flag not in ("n", "y"):
            raise SaslError("malformed-request")
        elif flag == "y" and self._bindings:
            # Downgrade attack: the client did not see the -PLUS that we offered.
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
    """Unescape a SCRAM name: ``=2C`` is a comma, ``=3D`` an equals sign (RFC 5802 5.1)."""
    plain = name.replace("=2C", ",")
    if "=" in plain.replace("=3D", ""):
        raise SaslError("malformed-request")
    return plain.replace("=3D", "=")
