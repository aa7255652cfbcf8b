"""TLS: trust, client certificate, certificate pinning, and errors in words (RFC 6120, 13.7)."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Collection
from typing import Any

import idna
from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL, crypto
from service_identity import VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet import ssl
from twisted.internet.error import ConnectionClosed, ConnectionDone
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.python.failure import Failure
from zope.interface import implementer

from xbot.chat.xmpp.wire.errors import ProtocolViolation

#: XEP-0368: the ALPN protocol name for direct TLS.
ALPN = b"xmpp-client"

_CERTIFICATE = re.compile(b"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

#: COMPAT: pyOpenSSL has no name for it (OpenSSL 1.1.0h and later).
_OP_NO_RENEGOTIATION = 1 << 30

_NOT_OURS = "the server's certificate is not for our domain"

#: OpenSSL errors that an operator can fix, with a hint.
_EXPLANATIONS = {
    "certificate verify failed": (
        "the server's certificate is not trusted (expired, self-signed, or by a CA that is"
        " unknown here; a private CA is named with ca-file)"
    ),
    "unsupported protocol": "the server offers no TLS 1.2 or later",
}


class WrongPeer(ProtocolViolation):
    """The certificate is valid, but the peer is not the server that we want."""


@frozen
class ClientCertificate:
    """Client certificate: our certificate, the intermediate ones, and the private key."""

    _certificates: tuple[Any, ...] = field(repr=False)
    _key: Any = field(repr=False)

    @classmethod
    def load(cls, certificates: bytes, key: bytes) -> ClientCertificate:
        """Load from PEM: our own certificate comes first; the key has no passphrase.

        :raises ValueError: with the reason, which never contains the key.
        """
        chain = _load_certificates(certificates)
        try:
            private: Any = serialization.load_pem_private_key(key, None)
        except TypeError:
            raise ValueError("the key is locked with a passphrase") from None
        except Exception:
            # The original error is dropped: it may quote the key.
            raise ValueError("the key file holds no PEM private key") from None
        ours = _public_key(chain[0].to_cryptography().public_key())
        if _public_key(private.public_key()) != ours:
            raise ValueError("the key does not belong to the first certificate")
        return cls(chain, crypto.PKey.from_cryptography_key(private))

    def options(self) -> dict[str, Any]:
        """Keyword arguments for Twisted's CertificateOptions."""
        return {
            "privateKey": self._key,
            "certificate": self._certificates[0],
            "extraCertChain": self._certificates[1:],
        }


def client_options(
    domain: str,
    authorities: bytes | None = None,
    *,
    certificate: ClientCertificate | None = None,
    direct: bool = False,
) -> Any:
    """TLS options (1.2 or later) for a connection to the server of ``domain``.

    The certificate must be for the JID's domain: not for the host of the SRV record,
    nor for the name in the stream header. SNI is that domain too. ``authorities``
    (PEM) replace the system's trusted CAs. ``certificate`` is sent to a server that
    requests one. ``direct``: the connection begins with TLS (XEP-0368).

    :raises ValueError: when ``authorities`` contain no certificate.
    """
    trust: Any = ssl.platformTrust()
    if authorities is not None:
        trust = ssl.trustRootFromCertificates(
            [ssl.Certificate(found) for found in _load_certificates(authorities)]
        )
    options = ssl.optionsForClientTLS(
        domain,
        trustRoot=trust,
        acceptableProtocols=[ALPN] if direct else None,
        # Today this is Twisted's default; set here so that a new default cannot lower it.
        extraCertificateOptions={
            "insecurelyLowerMinimumTo": ssl.TLSVersion.TLSv1_2,
            **(certificate.options() if certificate is not None else {}),
        },
    )
    return _OneHandshake(options)


@implementer(IOpenSSLClientConnectionCreator)
@frozen(eq=False, repr=False)
class _OneHandshake:
    """``inner`` without renegotiation, so that the verified peer stays (RFC 7590, section 3)."""

    inner: Any

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Any:
        connection = self.inner.clientConnectionForTLS(tlsProtocol)
        if hasattr(connection, "set_options"):
            connection.set_options(_OP_NO_RENEGOTIATION)
        else:
            # COMPAT: older pyOpenSSL has options for contexts only, and they
            # apply to connections that are made afterwards.
            connection.get_context().set_options(_OP_NO_RENEGOTIATION)
            connection = self.inner.clientConnectionForTLS(tlsProtocol)
        return connection


def check_peer(connection: Any, domain: str, pins: Collection[bytes]) -> None:
    """Check certificate name, ALPN and pins after the handshake (RFC 9525, RFC 7301, RFC 7469).

    The certificate of ``connection`` (a pyOpenSSL connection) must be for ``domain``,
    the JID's. Twisted checks that too, but in an OpenSSL callback, where the library
    decides what an exception means. Here every error is a refusal.

    ``pins`` (certificate pinning) are SHA-256 of public keys (SubjectPublicKeyInfo, as
    in RFC 7469, section 2.4); one of them must belong to the server, or to a CA of the
    verified chain. Other certificates that the server sent do not count: anyone can
    send a copy of a public certificate.

    :raises WrongPeer: if one of the checks fails.
    """
    try:
        _check_peer(connection, domain, pins)
    except WrongPeer:
        raise
    except BaseException as error:
        # BaseException: a panic of Rust code in Python is not an Exception.
        why = f"{type(error).__name__}: {error}".removesuffix(": ")[:300]
        raise WrongPeer(f"the server's certificate cannot be checked ({why})") from None


def _check_peer(connection: Any, domain: str, pins: Collection[bytes]) -> None:
    if connection is None or connection.get_peer_certificate() is None:
        raise WrongPeer("the server shows no certificate")
    try:
        _check_name(connection, domain)
    except VerificationError:
        raise WrongPeer(f"{_NOT_OURS} ({domain})") from None
    if connection.get_alpn_proto_negotiated() not in (b"", ALPN):
        raise WrongPeer("the server speaks another protocol than XMPP (ALPN)")
    if not pins:
        return
    chain = connection.get_verified_chain()
    found = [public_key_pin(certificate.to_cryptography()) for certificate in chain or ()]
    if not any(pin in pins for pin in found):
        raise WrongPeer(
            "the server's public key is none of those in pin-sha256: the server has a new key,"
            " or the connection is intercepted"
        )


def _check_name(connection: Any, domain: str) -> None:
    """RFC 9525, section 6: a DNS-ID of the certificate is ``domain``, or an IP-ID its address.

    SRV-IDs, XMPP addresses (RFC 6120, section 13.7.1.2.1) and the common name are
    ignored, as in Twisted.
    """
    try:
        address = ipaddress.ip_address(domain)
    except ValueError:
        # A-labels, made as Twisted makes them for SNI.
        verify_hostname(connection, idna.encode(domain).decode("ascii"))
    else:
        verify_ip_address(connection, str(address))


def public_key_pin(certificate: x509.Certificate) -> bytes:
    """The pin of a certificate as in ``pin-sha256``, before base64."""
    return hashlib.sha256(_public_key(certificate.public_key())).digest()


def _public_key(key: Any) -> bytes:
    data: bytes = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return data


def _load_certificates(pem: bytes) -> tuple[Any, ...]:
    found = _CERTIFICATE.findall(pem)
    if not found:
        raise ValueError("it holds no PEM certificate")
    try:
        return tuple(crypto.load_certificate(crypto.FILETYPE_PEM, each) for each in found)
    except crypto.Error:
        raise ValueError("it holds a broken certificate") from None


def explain(reason: Failure) -> str:
    """The reason why a connection ended, in words for the operator."""
    error = reason.value
    if isinstance(error, VerificationError):
        return _NOT_OURS
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
