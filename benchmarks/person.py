"""A minimal XMPP client that sends commands and measures the latency of the answers.

A plain socket without a parser, so that the server and the bot are measured, not
the client. Neither Nagle's algorithm nor a delayed TCP acknowledgement of the
client adds latency, whichever bot is measured.
"""

from __future__ import annotations

import base64
import re
import select
import socket
import ssl
import time
from itertools import count

from benchmarks import stanzas

#: Time-out in seconds of one socket operation.
PATIENCE = 60.0

_ANSWER = re.compile(rb"pong l(\d+)<")


class Person:
    """A client in a room, logged in over STARTTLS with SASL PLAIN."""

    def __init__(self, port: int, domain: str, name: str, password: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        # Unique ids: xbot drops a repeated id as a duplicate.
        self._numbers = count()
        header = (
            f"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
            f" to='{domain}' version='1.0'>"
        )
        self._ask(header, b"</stream:features>")
        self._ask("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", b"<proceed")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
        self._socket = tls.wrap_socket(self._socket, server_hostname=domain)
        self._ask(header, b"</stream:features>")
        plain = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
        sasl = "urn:ietf:params:xml:ns:xmpp-sasl"
        self._ask(f"<auth xmlns='{sasl}' mechanism='PLAIN'>{plain}</auth>", b"<success")
        self._ask(header, b"</stream:features>")
        bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
        self._ask(f"<iq type='set' id='b'>{bind}</iq>", b"</iq>")

    def join(self, room: str) -> None:
        """Join the room, and create it if it does not exist."""
        x = "<x xmlns='http://jabber.org/protocol/muc'/>"
        self._ask(f"<presence/><presence to='{room}/alice'>{x}</presence>", b"code='110'")
        form = "<x xmlns='jabber:x:data' type='submit'/>"
        owner = f"<query xmlns='http://jabber.org/protocol/muc#owner'>{form}</query>"
        self._ask(f"<iq type='set' id='o' to='{room}'>{owner}</iq>", b"id='o'")

    def wait_for(self, nick: str) -> None:
        """Wait until an occupant with that nick is in the room."""
        self._read_until(f"/{nick}'".encode())

    def latencies(self, room: str, amount: int, per_second: float) -> list[float]:
        """Seconds from each command to its answer; commands without an answer are left out."""
        sent: dict[int, float] = {}
        found: dict[int, float] = {}
        self._socket.setblocking(False)
        began = time.perf_counter()
        ends = began + amount / per_second + 2.0
        received = b""
        while len(found) < amount and time.perf_counter() < ends:
            due = began + len(sent) / per_second
            now = time.perf_counter()
            if len(sent) < amount and now >= due:
                number = next(self._numbers)
                body = f"<body>{stanzas.NICK}: ping l{number}</body>"
                stanza = f"<message type='groupchat' to='{room}' id='l{number}'>{body}</message>"
                sent[number] = time.perf_counter()
                self._socket.send(stanza.encode())
                continue
            select.select([self._socket], [], [], max(0.0, min(due, ends) - now))
            try:
                received += self._socket.recv(65536)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
            now = time.perf_counter()
            if hasattr(socket, "TCP_QUICKACK"):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            end = 0
            for answer in _ANSWER.finditer(received):
                if int(answer[1]) in sent:
                    found.setdefault(int(answer[1]), now)
                end = answer.end()
            received = received[max(end, len(received) - 100) :]
        return [found[number] - sent[number] for number in found]

    def ask(self, room: str) -> float:
        """Say one command in the room; seconds until its answer."""
        number = next(self._numbers)
        body = f"<body>{stanzas.NICK}: ping l{number}</body>"
        began = time.perf_counter()
        self._ask(
            f"<message type='groupchat' to='{room}' id='l{number}'>{body}</message>",
            f"pong l{number}<".encode(),
        )
        return time.perf_counter() - began

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _ask(self, text: str, until: bytes) -> None:
        self._received = b""
        self._socket.sendall(text.encode())
        self._read_until(until)

    def _read_until(self, mark: bytes) -> None:
        while mark not in self._received:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the server closed the connection")
            self._received += data
