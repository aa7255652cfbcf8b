"""Self-signed TLS certificate for one domain, made in memory."""

from __future__ import annotations

import datetime
import ipaddress
from typing import Any

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import crypto
from twisted.internet import ssl

#: Validity before (clock skew) and after (a long demo) the moment it is made.
VALID_BEFORE = datetime.timedelta(days=1)
VALID_AFTER = datetime.timedelta(days=730)

#: ALPN protocol of XEP-0368. Without it Twisted disconnects every client that offers ALPN.
ALPN = b"xmpp-client"

_LOOPBACK = ("127.0.0.1", "::1")


@frozen
class Certificate:
    """A self-signed certificate and its key, both PEM.

    Clients must trust ``pem``: it is both the server's certificate and the CA that
    signed it.
    """

    pem: bytes
    key_pem: bytes = field(repr=False)

    @classmethod
    def make(cls, domain: str) -> Certificate:
        """Make a certificate for ``domain`` and the loopback addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain[:64])])
        now = datetime.datetime.now(datetime.UTC)
        ascii_domain = domain.encode("idna").decode("ascii")
        names: list[x509.GeneralName] = [x509.DNSName(ascii_domain)]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in _LOOPBACK]
        public = key.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - VALID_BEFORE)
            .not_valid_after(now + VALID_AFTER)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            # RFC 5280 4.2.1.2: strict clients (Python 3.13) require it.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        certificate = builder.sign(key, hashes.SHA256())
        return cls(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )

    def options(self) -> Any:
        """TLS options for ``startTLS`` on the server's side: TLS 1.2 or newer."""
        return ssl.CertificateOptions(
            privateKey=crypto.load_privatekey(crypto.FILETYPE_PEM, self.key_pem),
            certificate=crypto.load_certificate(crypto.FILETYPE_PEM, self.pem),
            raiseMinimumTo=ssl.TLSVersion.TLSv1_2,
            acceptableProtocols=[ALPN],
        )


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
