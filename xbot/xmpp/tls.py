"""TLS: whom we trust, and what went wrong in words (RFC 6120, section 13.7)."""

from __future__ import annotations

import re
from typing import Any

from OpenSSL import SSL, crypto
from service_identity import VerificationError
from twisted.internet import ssl
from twisted.internet.error import ConnectionClosed, ConnectionDone
from twisted.python.failure import Failure

_CERTIFICATE = re.compile(b"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

#: The failures of OpenSSL's that an operator can do something about.
_EXPLANATIONS = {
    "certificate verify failed": (
        "the server's certificate is not trusted (expired, self-signed, or by a CA that is"
        " unknown here; a private CA is named with ca-file)"
    ),
    "unsupported protocol": "the server offers no TLS 1.2 or later",
}


def client_options(domain: str, authorities: bytes | None = None) -> Any:
    """How a TLS connection is made to the server of ``domain``.

    The certificate must be for the JID's domain and nothing else: not for the
    host that SRV named, nor for the one that the stream header names. With
    ``authorities`` (PEM) only those are trusted, else the system's.

    :raises ValueError: when they hold no certificate.
    """
    trust: Any = ssl.platformTrust()
    if authorities is not None:
        pems = _CERTIFICATE.findall(authorities)
        if not pems:
            raise ValueError("it holds no PEM certificate")
        try:
            certificates = [ssl.Certificate.loadPEM(pem) for pem in pems]
        except crypto.Error:
            raise ValueError("it holds a broken certificate") from None
        trust = ssl.trustRootFromCertificates(certificates)
    return ssl.optionsForClientTLS(domain, trustRoot=trust)


def explain(reason: Failure) -> str:
    """Why a connection ended, in words for the operator."""
    error = reason.value
    if isinstance(error, VerificationError):
        return "the server's certificate is not for our domain"
    if isinstance(error, SSL.Error):
        texts = [str(entry[-1]) for entry in (error.args[0] if error.args else ())]
        for text in texts:
            if text in _EXPLANATIONS:
                return _EXPLANATIONS[text]
        return f"TLS failed ({'; '.join(texts) or 'no reason given'})"
    if isinstance(error, ConnectionDone):
        return "the server closed the connection"
    if isinstance(error, ConnectionClosed):
        return f"the connection was lost ({error})"
    return f"{error}" or type(error).__name__
