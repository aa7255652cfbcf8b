"""Whether who posts knows the secret: by a signature over the body, or by sending it. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from enum import Enum

from xbot.config.settings import Secret

#: GitHub's header (Gitea sends it, too), with what stands before the digits; Gitea's own.
_SIGNATURES = (("x-hub-signature-256", "sha256="), ("x-gitea-signature", ""))

#: More than any header that we look at.
_MAX_HEADER = 8192


class Proof(Enum):
    """What became of it."""

    GIVEN = "given"
    MISSING = "missing"
    WRONG = "wrong"


def prove(secret: Secret, headers: Mapping[str, str], body: bytes) -> Proof:
    """Whether ``headers`` (names in small letters) prove knowledge of ``secret``.

    Where there are signatures, all of them must be right, whatever else is sent.
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


def _same(given: str, wanted: str) -> bool:
    """Compared in a time that tells nothing of ``wanted`` but its length."""
    # Headers are latin-1 by now; a secret in UTF-8 came as bytes of it.
    data = given[:_MAX_HEADER].encode("latin-1", "replace")
    return hmac.compare_digest(data, wanted.encode())
