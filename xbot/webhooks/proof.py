"""Authenticate posts: an HMAC-SHA256 signature, a token, or the password of HTTP Basic. Pure."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress

from attrs import frozen

from xbot.config.settings import Secret

#: Signatures of the body alone, in hexadecimal digits: the header, as people write it, and the
#: prefix of its value. GitHub, Bitbucket, Gitea, Forgejo, Gogs and Sentry.
_OF_BODY = (
    ("X-Hub-Signature-256", "sha256="),
    ("X-Hub-Signature", "sha256="),
    ("X-Gitea-Signature", ""),
    ("X-Forgejo-Signature", ""),
    ("X-Gogs-Signature", ""),
    ("Sentry-Hook-Signature", ""),
)

#: Grafana's signature, and the headers for its time of sending, of which the name is its user's.
_GRAFANA = "X-Grafana-Alerting-Signature"
_GRAFANA_TIMES = ("X-Grafana-Alerting-Signature-Timestamp", "X-Grafana-Alerting-Timestamp")

#: GitLab's signing token: https://www.standardwebhooks.com, over id, time and body.
_STANDARD, _STANDARD_ID, _STANDARD_TIME = "webhook-signature", "webhook-id", "webhook-timestamp"

#: GitLab's secret token, which is the secret itself.
_TOKEN = "X-Gitlab-Token"  # noqa: S105

_SIGNATURES = (*(name for name, _ in _OF_BODY), _GRAFANA, _STANDARD)

#: Headers that authenticate, in lower case: not for responders.
PROOFS = frozenset(name.lower() for name in ("Authorization", _TOKEN, *_SIGNATURES))

#: Headers that name the kind of event. No signature covers them: it is of the body.
_EVENTS = (
    "x-github-event",
    "x-gitea-event",
    "x-gogs-event",
    "x-forgejo-event",
    "x-event-key",
    "sentry-hook-resource",
)

#: Maximum length of a header value that is compared, in characters.
_MAX_HEADER = 8192

#: Maximum difference between a signed time and our clock, in seconds; against replays.
FRESH = 300.0

#: Schemes of Authorization that a reason may repeat; another word may be the secret itself.
_SCHEMES = ("basic", "bearer", "digest", "negotiate", "token", "apikey", "aws4-hmac-sha256")

_EXPECTED = (
    f"expected is a signature ({', '.join(_SIGNATURES)}), {_TOKEN}, or Authorization with Bearer"
    " SECRET, or Basic with the secret as the password"
)


@frozen
class Refusal:
    """Why a post is not authentic: HTTP ``status`` and ``reason``, which repeats no secret."""

    status: int
    reason: str


def prove(
    secret: Secret, headers: Mapping[str, str], body: bytes, now: float = 0.0
) -> Refusal | None:
    """Check that ``headers`` (names in lower case) prove knowledge of ``secret``; None if so.

    If there are signatures, all of them must be valid, and tokens are ignored. ``now`` is in
    seconds since 1970, for signatures with a time.
    """
    given = _given(headers)
    if not given:
        return _prove_token(secret, headers)
    checks = (_wrong_signature(name, secret, headers, body, now) for name in given)
    return next((Refusal(403, wrong) for wrong in checks if wrong), None)


def _given(headers: Mapping[str, str]) -> list[str]:
    """The signatures of a post. GitHub sends one with SHA-1, too, which proves nothing."""
    return [
        name
        for name in _SIGNATURES
        if headers.get(name.lower()) and not (name == "X-Hub-Signature" and _has_sha1(headers))
    ]


def _wrong_signature(
    name: str, secret: Secret, headers: Mapping[str, str], body: bytes, now: float
) -> str:
    """What is wrong with this signature; empty if it is right."""
    value, key = headers[name.lower()], secret.reveal().encode()
    if name == _GRAFANA:
        return _wrong_grafana(key, headers, body, now)
    if name == _STANDARD:
        return _wrong_standard(secret.reveal(), headers, body, now)
    prefix = dict(_OF_BODY)[name]
    if _same(value.lower(), prefix + hmac.new(key, body, hashlib.sha256).hexdigest()):
        return ""
    if not value.lower().startswith(prefix):
        return f"{name} came, and does not begin with {prefix}"
    return f"{name} came, and is not the HMAC-SHA256 of this body with the secret of this webhook"


def _wrong_grafana(key: bytes, headers: Mapping[str, str], body: bytes, now: float) -> str:
    name = next((each for each in _GRAFANA_TIMES if headers.get(each.lower())), None)
    time = headers[name.lower()] if name is not None else ""
    covered = f"{time}:".encode("latin-1", "replace") + body if name is not None else body
    if not _same(
        headers[_GRAFANA.lower()].lower(), hmac.new(key, covered, hashlib.sha256).hexdigest()
    ):
        return (
            f"{_GRAFANA} came, and is not the HMAC-SHA256 of this body with the secret of this"
            f" webhook; a timestamp header must be called {_GRAFANA_TIMES[0]}"
        )
    return _stale(name, time, now) if name is not None else ""


def _wrong_standard(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> str:
    missing = [each for each in (_STANDARD_ID, _STANDARD_TIME) if not headers.get(each)]
    if missing:
        return f"{_STANDARD} came without {' and '.join(missing)}"
    time = headers[_STANDARD_TIME]
    covered = f"{headers[_STANDARD_ID]}.{time}.".encode("latin-1", "replace") + body
    wanted = [
        "v1," + b64encode(hmac.new(key, covered, hashlib.sha256).digest()).decode()
        for key in _standard_keys(secret)
    ]
    given = headers[_STANDARD][:_MAX_HEADER].split()
    if any(_same(each, right) for each in given for right in wanted):
        return _stale(_STANDARD_TIME, time, now)
    return f"{_STANDARD} came, and is not made with the secret of this webhook (v1,BASE64)"


def _standard_keys(secret: str) -> list[bytes]:
    """The keys that ``secret`` may mean: itself, and the decoded rest behind ``whsec_``."""
    keys = [secret.encode()]
    if secret.startswith("whsec_"):
        with suppress(ValueError):
            keys.append(b64decode(secret.removeprefix("whsec_"), validate=True))
    # HMAC takes an empty key as well, which everyone knows.
    return list(filter(None, keys))


def _stale(name: str, time: str, now: float) -> str:
    """Why the signed ``time`` is not accepted; empty if it is close to ``now``."""
    if not (time.isascii() and time.isdecimal() and len(time) <= 12):
        return f"{name} came, and is no time in seconds since 1970"
    if abs(int(time) - now) > FRESH:
        return (
            f"{name} is more than {FRESH / 60:g} minutes away from this machine's clock: an old"
            " post that was sent again, or a wrong clock"
        )
    return ""


def _prove_token(secret: Secret, headers: Mapping[str, str]) -> Refusal | None:
    """Check the token, or the password; it is enough if one of them is right."""
    token, authorization = headers.get(_TOKEN.lower()), headers.get("authorization", "").strip()
    if token and _same(token.strip(), secret.reveal()):
        return None
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if not value:
        if token:
            return Refusal(403, f"{_TOKEN} came, and is not the secret of this webhook")
        if _has_sha1(headers):
            return Refusal(403, f"X-Hub-Signature came with SHA-1, which is too weak; {_EXPECTED}")
        came = "Authorization came without a value" if authorization else "no proof came"
        return Refusal(401, f"{came}; {_EXPECTED}")
    kind = scheme.lower()
    if kind == "bearer":
        if _same(value, secret.reveal()):
            return None
        return Refusal(403, "Authorization: Bearer came, and is not the secret of this webhook")
    if kind == "basic":
        if _same(_password(value), secret.reveal()):
            return None
        return Refusal(
            403, "Authorization: Basic came, and its password is not the secret of this webhook"
        )
    shown = scheme if kind in _SCHEMES else "an unknown scheme"
    return Refusal(403, f"Authorization came with {shown}; {_EXPECTED}")


def _password(value: str) -> str:
    """The password of HTTP Basic (RFC 7617), as latin-1 like all headers; empty if invalid."""
    try:
        pair = b64decode(value[:_MAX_HEADER], validate=True).decode("latin-1")
    except ValueError:
        return ""
    return pair.partition(":")[2]


def _has_sha1(headers: Mapping[str, str]) -> bool:
    return headers.get("x-hub-signature", "").startswith("sha1=")


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
    if not _given(headers):
        return None
    event = "\n".join(f"{name}: {headers[name]}" for name in _EVENTS if name in headers)
    return Signed(hashlib.sha256(body).hexdigest(), event)


def _same(given: str, wanted: str) -> bool:
    """Compare in constant time, to reveal nothing of ``wanted`` but its length."""
    # Headers were decoded as latin-1: restore the bytes, which may be UTF-8.
    data = given[:_MAX_HEADER].encode("latin-1", "replace")
    return hmac.compare_digest(data, wanted.encode())
