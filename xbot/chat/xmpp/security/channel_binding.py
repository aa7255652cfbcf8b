"""Channel binding: data that ties a login to its TLS connection (RFC 5056, RFC 9266).

A man in the middle has one TLS connection with us and another with the server. A
login that is bound to the one fails on the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from OpenSSL import SSL

EXPORTER = "tls-exporter"
UNIQUE = "tls-unique"
END_POINT = "tls-server-end-point"


def tls_connection(transport: Any) -> Any:
    """The OpenSSL connection of ``transport``, or None without TLS.

    Works after ``startTLS`` and for direct TLS.
    """
    get_handle = getattr(transport, "getHandle", None)
    handle = get_handle() if get_handle is not None else None
    # A plain TCP transport's handle is its socket.
    return handle if isinstance(handle, SSL.Connection) else None


def available_bindings(connection: Any) -> dict[str, bytes]:
    """The data of each channel-binding type that ``connection`` has, best first.

    Empty without TLS. tls-exporter is used only on TLS 1.3: on 1.2
    it needs the extended master secret (RFC 9266, section 3), and OpenSSL's
    Python binding does not tell whether that was agreed on. tls-unique is not
    defined for TLS 1.3 (RFC 8446, appendix C.5).
    """
    if connection is None:
        return {}
    version = connection.get_protocol_version()
    makers: dict[str, Callable[[Any], bytes | None]] = {}
    if version >= SSL.TLS1_3_VERSION:
        makers[EXPORTER] = exporter
    elif version == SSL.TLS1_2_VERSION:
        # RFC 5929 3.1: the first Finished message of the handshake. That is the client's
        # unless a TLS session was resumed, which we never offer.
        makers[UNIQUE] = SSL.Connection.get_finished
    makers[END_POINT] = _server_end_point
    made = {name: make(connection) for name, make in makers.items()}
    return {name: data for name, data in made.items() if data}


def finished(connection: Any) -> bytes | None:
    """Our TLS Finished message, which some servers use as tls-unique on TLS 1.3, too."""
    data: bytes | None = connection.get_finished() if connection is not None else None
    return data


def exporter(connection: Any) -> bytes:
    """tls-exporter data: exported keying material, 32 bytes (RFC 9266, section 2)."""
    data: bytes = connection.export_keying_material(b"EXPORTER-Channel-Binding", 32)
    return data


def _server_end_point(connection: Any) -> bytes | None:
    certificate = connection.get_peer_certificate()
    return None if certificate is None else end_point(certificate.to_cryptography())


def end_point(certificate: Any) -> bytes | None:
    """tls-server-end-point data: hash of the certificate (RFC 5929, section 4.1), or None.

    The hash function is that of the certificate's signature; MD5 and SHA-1 are replaced
    by SHA-256. Undefined for algorithms without a single hash function (EdDSA).
    """
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    if algorithm is None:
        return None
    if isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        algorithm = hashes.SHA256()
    digest = hashes.Hash(algorithm)
    digest.update(certificate.public_bytes(serialization.Encoding.DER))
    return digest.finalize()
