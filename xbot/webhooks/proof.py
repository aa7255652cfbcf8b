"""Authenticate posts: an HMAC-SHA256 signature of the body, or a bearer token. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from enum import Enum

from attrs import frozen

from xbot.config.settings import Secret

#: Signature headers and the prefix of their value: GitHub's (also sent by Gitea), and Gitea's.
_SIGNATURES = (("x-hub-signature-256", "sha256="), ("x-gitea-signature", ""))

#: Headers that name the kind of event. No signature covers them: it is of the body alone.
_EVENTS = ("x-github-event", "x-gitea-event", "x-gogs-event", "x-forgejo-event")

#: Maximum length of a header value that is compared, in characters.
_MAX_HEADER = 8192


class Proof(Enum):
    """Result of the authentication."""

    GIVEN = "given"
    MISSING = "missing"
    WRONG = "wrong"


def prove(secret: Secret, headers: Mapping[str, str], body: bytes) -> Proof:
    """Check that ``headers`` (names in lower case) prove knowledge of ``secret``.

    If there are signatures, all of them must be valid, and the bearer token is ignored.
    """
    key = secret.reveal().encode()
    signatures = [(headers[name], before) for name, before in _SIGNATURES if headers.get(name)]
    if signatures:
        digest = hmac.new(key, body, hashlib.sha256).hexdigest()
        checks = [_same(given.lower(), before + digest) for given, before in signatures]
        return Proof.GIVEN if all(checks) else Proof.WRONG
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if not token:
        return Proof.MISSING
    is_right = _same(token.strip(), secret.reveal())
    return Proof.GIVEN if is_right and scheme.lower() == "bearer" else Proof.WRONG


@frozen
class Signed:
    """A signed body, and the event that the unsigned headers of its post name."""

    body: str
    event: str


def signed(headers: Mapping[str, str], body: bytes) -> Signed | None:
    """What a post signed; None if it has no signature. Authenticate it first.

    A body that was captured can be posted again under other headers, and is authentic then,
    too. The body has an id or a time of its own in each event, so it identifies the event.
    """
    if not any(headers.get(name) for name, _ in _SIGNATURES):
        return None
    event = "\n".join(f"{name}: {headers[name]}" for name in _EVENTS if name in headers)
    return Signed(hashlib.sha256(body).hexdigest(), event)


def _same(given: str, wanted: str) -> bool:
    """Compare in constant time, to reveal nothing of ``wanted`` but its length."""
    # Headers were decoded as latin-1: restore the bytes, which may be UTF-8.
    data = given[:_MAX_HEADER].encode("latin-1", "replace")
    return hmac.compare_digest(data, wanted.encode())
