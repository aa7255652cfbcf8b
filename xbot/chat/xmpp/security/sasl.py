"""SASL login, client side: PLAIN, EXTERNAL and SCRAM over XMPP (RFC 6120, section 6)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Awaitable, Callable

from twisted.words.xish import domish

from xbot.chat.xmpp.security.mechanisms import PLUS, Choice
from xbot.chat.xmpp.security.scram import (
    BadServer,
    Challenge,
    SaltedPasswords,
    ScramClient,
    salt_password,
)
from xbot.chat.xmpp.wire import ns
from xbot.chat.xmpp.wire.errors import LoginRefused, ProtocolViolation
from xbot.config.settings import Secret
from xbot.text.saslprep import saslprep

#: hashlib's name of each mechanism's hash function.
HASHES = {"SCRAM-SHA-512": "sha512", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}

#: RFC 6120 6.5: conditions that the credentials or the account cause, not the server.
_FINAL_CONDITIONS = {
    "account-disabled",
    "credentials-expired",
    "invalid-authzid",
    "not-authorized",
}


class BindingRefused(LoginRefused):
    """The server refused a bound login before any proof: perhaps it lacks the binding type."""


Exchange = Callable[[domish.Element], Awaitable[domish.Element]]
"""Sends an element and returns the peer's next one."""

InThread = Callable[[Callable[[], bytes]], Awaitable[bytes]]


async def authenticate(
    choice: Choice,
    username: str,
    password: Secret | None,
    exchange: Exchange,
    *,
    nonce: str,
    salted_passwords: SaltedPasswords,
    in_thread: InThread,
) -> None:
    """Log in; when it returns, both sides have authenticated each other.

    With SCRAM the server has proved that it knows the password; with PLAIN and
    EXTERNAL only its certificate authenticates it. ``password`` may be None with
    EXTERNAL. ``salted_passwords`` caches the slow key derivation for this password.

    :raises BindingRefused: when the server refuses a bound login before any proof.
    :raises LoginRefused: when the server refuses the credentials.
    :raises ProtocolViolation: when the server breaks the mechanism's rules.
    """
    if choice.mechanism == "EXTERNAL":
        # XEP-0178 2, RFC 4422 A.1: no authorization identity; the certificate names us.
        await _once(choice, b"", exchange)
        return
    assert password is not None
    if choice.mechanism == "PLAIN":
        # RFC 4616: no authorization identity, the name, the password.
        text = f"\0{saslprep(username)}\0{saslprep(password.reveal())}".encode()
        await _once(choice, text, exchange)
        return
    hash_name = HASHES[choice.mechanism.removesuffix(PLUS)]
    client = ScramClient(hash_name, username, nonce, choice.gs2_header, choice.binding_data)

    async def salt(challenge: Challenge) -> bytes:
        known = salted_passwords.get(hash_name, challenge)
        return known or await in_thread(
            lambda: salt_password(
                hash_name, password.reveal(), challenge.salt, challenge.iterations
            )
        )

    try:
        challenge, salted = await _scram(client, choice.mechanism, exchange, salt)
    except BadServer as reason:
        raise ProtocolViolation(f"{choice.mechanism}: the server sent {reason}") from None
    salted_passwords.keep(hash_name, challenge, salted)


async def _once(choice: Choice, data: bytes, exchange: Exchange) -> None:
    """Run a mechanism that needs one client message (PLAIN, EXTERNAL)."""
    answer = _checked(await exchange(_element("auth", data, choice.mechanism)))
    if answer.name != "success":
        raise ProtocolViolation(f"the server challenges {choice.mechanism}")


async def _scram(
    client: ScramClient,
    mechanism: str,
    exchange: Exchange,
    salt: Callable[[Challenge], Awaitable[bytes]],
) -> tuple[Challenge, bytes]:
    try:
        answer = _checked(await exchange(_element("auth", client.first(), mechanism)))
    except LoginRefused as refusal:
        if client.binding_data:
            raise BindingRefused(refusal.condition, final=refusal.final) from None
        raise
    if answer.name != "challenge":
        raise BadServer("success before any proof")
    challenge = client.read_challenge(_data(answer))
    salted = await salt(challenge)
    answer = _checked(await exchange(_element("response", client.final(challenge, salted))))
    client.check_success(challenge, salted, _data(answer))
    if answer.name == "challenge":
        # RFC 6120 6.3.10: a server may send its last data as a challenge.
        answer = _checked(await exchange(_element("response", b"")))
        if answer.name != "success":
            raise BadServer("a challenge after its signature")
    return challenge, salted


def _element(name: str, data: bytes, mechanism: str | None = None) -> domish.Element:
    element = domish.Element((ns.SASL, name))
    if mechanism is not None:
        element["mechanism"] = mechanism
    # RFC 6120 6.4.2: data of no length is written "=" in <auth/>, and is absent elsewhere.
    if data:
        element.addContent(b64encode(data).decode())
    elif mechanism is not None:
        element.addContent("=")
    return element


def _checked(answer: domish.Element) -> domish.Element:
    """Return ``answer`` if it is a challenge or the success; raise otherwise."""
    if answer.uri != ns.SASL or answer.name not in ("challenge", "success", "failure"):
        raise ProtocolViolation(f"<{answer.name[:64]}/> in the middle of the login")
    if answer.name != "failure":
        return answer
    conditions = [child.name for child in answer.elements() if child.uri == ns.SASL]
    condition = next((name for name in conditions if name != "text"), "not-authorized")
    raise LoginRefused(condition[:64], final=condition in _FINAL_CONDITIONS)


def _data(answer: domish.Element) -> bytes:
    text = "".join(child for child in answer.children if isinstance(child, str)).strip()
    try:
        return b"" if text == "=" else b64decode(text, validate=True)
    except (BadBase64, ValueError):
        raise BadServer("broken base64") from None
