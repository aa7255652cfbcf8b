"""A key with its certificate, made as a test needs it."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from OpenSSL import crypto
from twisted.internet import ssl

DAY = datetime.timedelta(days=1)


def is_eddsa(key):
    return isinstance(key, ed25519.Ed25519PrivateKey)


class Identity:
    """A key and a certificate for a domain, signed by ``issuer`` or by itself.

    ``names`` are its subject alternative names, where the domain is not to be the only one.
    """

    def __init__(self, domain, issuer=None, days=30, authority=False, key=None, names=None):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.issuer = issuer
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
        now = datetime.datetime.now(datetime.UTC)
        signer = issuer or self
        names = x509.SubjectAlternativeName(names or [x509.DNSName(domain)])
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(signer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 60 * DAY)
            .not_valid_after(now + days * DAY)
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .sign(signer.key, None if is_eddsa(signer.key) else hashes.SHA256())
        )

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self):
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def options(self, **more):
        return ssl.CertificateOptions(
            privateKey=crypto.PKey.from_cryptography_key(self.key),
            certificate=crypto.X509.from_cryptography(self.certificate),
            **more,
        )
