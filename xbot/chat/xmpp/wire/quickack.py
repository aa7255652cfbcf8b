"""TCP_QUICKACK and TCP_NODELAY: turn off delayed acknowledgements and Nagle's algorithm.

A server with Nagle's algorithm on (Prosody) holds back its next small segment
until the last one is acknowledged. A bot does not answer the echo of its own
message, so its kernel delays that acknowledgement by 40 ms, and the server's
next stanza with it.
"""

from __future__ import annotations

import socket
from typing import Any

#: Linux only.
_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)


class QuickAck:
    """Immediate TCP acknowledgements on one connection; does nothing without a TCP socket."""

    def __init__(self, transport: Any) -> None:
        # With STARTTLS the transport is Twisted's TCP transport, with direct TLS a
        # wrapper that passes unknown attributes on to it.
        self._socket: Any = getattr(transport, "socket", None)
        if hasattr(self._socket, "setsockopt"):
            transport.setTcpNoDelay(True)
        else:
            self._socket = None

    def got_data(self) -> None:
        """Acknowledge now what was read. The kernel resets the option, so set it each time."""
        if self._socket is None or _QUICK_ACK is None:
            return
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        except OSError:
            # The connection is lost (connectionLost will follow), or it is not TCP.
            self._socket = None
