"""SASL: which mechanism, and the exchange as a sequence of texts (RFC 6120, section 6)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Awaitable, Callable, Collection

from twisted.words.xish import domish

from xbot.settings import Secret
from xbot.xmpp import ns
from xbot.xmpp.problems import LoginRefused, ProtocolViolation
from xbot.xmpp.saslprep import saslprep
from xbot.xmpp.scram import BadServer, ScramClient, salt_password

#: Best first. PLAIN hands the password over, so it comes last, and only over
#: TLS whose certificate was verified, which is the only place we log in at all.
MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN")

_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}

#: RFC 6120 6.5: what the password, or the account, is to blame for.
_FINAL_CONDITIONS = {
    "account-disabled",
    "credentials-expired",
    "invalid-authzid",
    "not-authorized",
}

Exchange = Callable[[domish.Element], Awaitable[domish.Element]]
"""Sends an element and gives the peer's next one."""

InThread = Callable[[Callable[[], bytes]], Awaitable[bytes]]


def choose_mechanism(offered: Collection[str]) -> str:
    """The best of the mechanisms that the server offers.

    :raises ProtocolViolation: when none is one of ours.
    """
    for mechanism in MECHANISMS:
        if mechanism in offered:
            return mechanism
    raise ProtocolViolation(
        f"the server offers no login that xbot knows (it offers {sorted(offered)[:10]})"
    )


async def authenticate(
    mechanism: str,
    username: str,
    password: Secret,
    exchange: Exchange,
    *,
    nonce: str,
    in_thread: InThread,
) -> None:
    """Log in. Returning means that both sides have proved who they are.

    :raises LoginRefused: when the server does not take the credentials.
    :raises ProtocolViolation: when the server does not keep to the mechanism.
    """
    if mechanism == "PLAIN":
        # RFC 4616: no authorization identity, the name, the password.
        text = f"\0{saslprep(username)}\0{saslprep(password.reveal())}".encode()
        answer = _checked(await exchange(_element("auth", text, mechanism)))
        if answer.name != "success":
            raise ProtocolViolation("the server challenges PLAIN")
        return
    try:
        client = ScramClient(_HASHES[mechanism], username, nonce)
        await _scram(client, mechanism, password, exchange, in_thread)
    except BadServer as reason:
        raise ProtocolViolation(f"{mechanism}: the server sent {reason}") from None


async def _scram(
    client: ScramClient, mechanism: str, password: Secret, exchange: Exchange, in_thread: InThread
) -> None:
    answer = _checked(await exchange(_element("auth", client.first(), mechanism)))
    if answer.name != "challenge":
        raise BadServer("success before any proof")
    challenge = client.read_challenge(_data(answer))
    salted = await in_thread(
        lambda: salt_password(
            client.hash_name, password.reveal(), challenge.salt, challenge.iterations
        )
    )
    answer = _checked(await exchange(_element("response", client.final(challenge, salted))))
    client.check_success(challenge, salted, _data(answer))
    if answer.name == "challenge":
        # RFC 6120 6.3.10: a server may send its last data as a challenge.
        answer = _checked(await exchange(_element("response", b"")))
        if answer.name != "success":
            raise BadServer("a challenge after its signature")


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
    """``answer``, if it is a challenge or the success."""
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
