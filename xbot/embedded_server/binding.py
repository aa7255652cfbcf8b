"""Channel-binding data of a TLS connection, server side (RFC 5929, RFC 9266)."""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL


def bindings(transport: Any) -> dict[str, bytes]:
    """Channel-binding data by type; empty without TLS."""
    connection = transport.getHandle() if hasattr(transport, "getHandle") else None
    if not isinstance(connection, SSL.Connection):
        return {}
    found = {}
    if connection.get_protocol_version() >= SSL.TLS1_3_VERSION:
        found["tls-exporter"] = connection.export_keying_material(b"EXPORTER-Channel-Binding", 32)
    else:
        # The first Finished message is the client's: TLS sessions are never resumed.
        found["tls-unique"] = connection.get_peer_finished() or b""
    certificate = connection.get_certificate()
    if certificate is not None:
        # SHA-256, because Certificate.make signs with it.
        der = certificate.to_cryptography().public_bytes(Encoding.DER)
        found["tls-server-end-point"] = hashlib.sha256(der).digest()
    return found
