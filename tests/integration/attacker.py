"""A hostile client: an account on a raw socket that can send arbitrary bytes."""

from __future__ import annotations

import re
import socket
import ssl
import time
from base64 import b64encode

from tests.integration.process import DEADLINE
from tests.integration.server import ACCOUNTS, Server


class Attacker:
    """The connection of one account. ``heard`` is everything that the server sent, as text."""

    def __init__(self, server: Server, name: str, resource: str = "evil") -> None:
        self.jid = f"{name}@{server.domain}"
        self.heard = ""
        self._server = server
        self._socket: socket.socket = socket.create_connection((server.host, server.port), DEADLINE)
        self._open()
        self.write("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        self.read("<proceed[^>]*>")
        context = ssl.create_default_context(cafile=str(server.ca_file))
        self._socket = context.wrap_socket(self._socket, server_hostname=server.domain)
        self._open()
        plain = b64encode(f"\0{name}\0{ACCOUNTS[name]}".encode()).decode()
        self.write(
            f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>"
        )
        self.read("<success[^>]*>")
        self._open()
        self.write(
            "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            f"<resource>{resource}</resource></bind></iq>"
        )
        self.read("<jid>[^<]*</jid>")
        self.write("<presence/>")

    def write(self, text: str | bytes) -> None:
        """Send raw text."""
        self._socket.settimeout(DEADLINE)
        self._socket.sendall(text if isinstance(text, bytes) else text.encode())

    def read(self, pattern: str, within: float = DEADLINE) -> str:
        """Everything until the server has sent something like ``pattern``; what matched."""
        deadline = time.monotonic() + within
        start = len(self.heard)
        while (found := re.compile(pattern, re.DOTALL).search(self.heard, start)) is None:
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                data = b""
            if not data:
                raise AssertionError(
                    f"nothing like {pattern!r} came:\n{self.heard[start:][-3000:]}"
                )
            self.heard += data.decode("utf-8", "replace")
        return found[0]

    def join(self, room: str, nick: str) -> None:
        """Enter a room."""
        self.write(
            f"<presence to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'>"
            "<history maxstanzas='0'/></x></presence>"
        )
        # Of this room: what was said elsewhere may still be on its way.
        there = re.escape(room)
        self.read(f"<message[^>]* from='{there}['/][^>]*>(?:(?!</message>).)*<subject")

    def close(self) -> None:
        """Close the connection without ending the stream."""
        self._socket.close()

    def _open(self) -> None:
        self.write(
            f"<?xml version='1.0'?><stream:stream to='{self._server.domain}' version='1.0'"
            " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        self.read("</stream:features>")
