"""What a kernel would hold back, sent at once.

A server with Nagle's algorithm on (Prosody) sends its next small segment once
the last one is acknowledged. A bot that hears its own words relayed has nothing
to say to that, so its kernel delays the acknowledgement by 40 ms, and whatever
is said next waits for it.
"""

from __future__ import annotations

import socket
from typing import Any

#: Linux only.
_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)


class QuickAck:
    """The promptness of one connection; of one without a TCP socket, none."""

    def __init__(self, transport: Any) -> None:
        # Under STARTTLS the transport is Twisted's TCP one, under direct TLS a
        # wrapper that hands on what it does not know.
        self._socket: Any = getattr(transport, "socket", None)
        if hasattr(self._socket, "setsockopt"):
            transport.setTcpNoDelay(True)
        else:
            self._socket = None

    def got_data(self) -> None:
        """Acknowledge now what was read. The kernel forgets this wish, so it is told each time."""
        if self._socket is None or _QUICK_ACK is None:
            return
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        except OSError:
            # The connection is gone, as we shall hear; or it is no TCP connection.
            self._socket = None
