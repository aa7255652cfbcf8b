"""Channel-binding data of a TLS connection, server side (RFC 5929, RFC 9266)."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

from xbot.chat.xmpp.security.channel_binding import (
    END_POINT,
    EXPORTER,
    UNIQUE,
    end_point,
    exporter,
    tls_connection,
)


def bindings(transport: Any) -> dict[str, bytes]:
    """Channel-binding data by type; empty without TLS."""
    connection = tls_connection(transport)
    if connection is None:
        return {}
    if connection.get_protocol_version() >= SSL.TLS1_3_VERSION:
        found = {EXPORTER: exporter(connection)}
    else:
        # The first Finished message is the client's: TLS sessions are never resumed.
        found = {UNIQUE: connection.get_peer_finished() or b""}
    hashed = end_point(connection.get_certificate().to_cryptography())
    return found if hashed is None else found | {END_POINT: hashed}
