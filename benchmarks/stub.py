"""A stub XMPP server that is faster than its clients: it writes pre-rendered stanzas.

It accepts any password and relays nothing. It implements STARTTLS, SASL PLAIN, resource
binding, stream management (XEP-0198, without resumption), and of MUC (XEP-0045) the join.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks import stanzas

#: Maximum bytes of one write; number of stanzas between two XEP-0198 ack requests.
CHUNK = 256 * 1024
ASK_EVERY = 20

#: Small writes are joined up to this number of bytes. libstrophe reads that many at a time,
#: and waits a second for the rest of a longer TLS record.
TOGETHER = 4096

#: Maximum number of commands under way, so that no client has to keep a long queue.
WINDOW = 500

_STANZA = re.compile(
    rb"<(stream:stream)\b[^>]*>|<(/stream:stream)>"
    rb"|<(message|presence|iq|auth|starttls|enable|r|a)\b([^>]*?)(?:/>|>(.*?)</\3>)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rb"""\b(id|to|type)=(?:'([^']*)'|"([^"]*)")""")

_HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' id='s'"
    f" xmlns:stream='http://etherx.jabber.org/streams' from='{stanzas.DOMAIN}' version='1.0'>"
    "<stream:features>{}</stream:features>"
)
_FEATURES = (
    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>",
    "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism>"
    "</mechanisms>",
    "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
    "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>"
    f"<sm xmlns='{stanzas.SM}'/>",
)


class Stalled(Exception):
    """Time-out: the client did not do what the scenario waits for."""


class Stub:
    """The listening socket on the loopback address. One client at a time."""

    def __init__(self, chain: Path, key: Path) -> None:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(chain, key)
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port: int = self._listening.getsockname()[1]

    def accept(self, timeout: float = 30.0) -> Client:
        """The next client that connects; it is not logged in yet."""
        self._listening.settimeout(timeout)
        try:
            raw, _ = self._listening.accept()
        except TimeoutError:
            raise Stalled("no client connects") from None
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Client(raw, self._tls)

    def close(self) -> None:
        """Stop listening."""
        self._listening.close()


class Client:
    """One connection. ``joined`` are the rooms that the client joined, in order.

    ``roster`` is the result of the client's roster request.
    """

    def __init__(self, raw: socket.socket, tls: ssl.SSLContext) -> None:
        self._socket = raw
        self._tls = tls
        self._features = iter(_FEATURES)
        self._received = b""
        self._to_write: list[bytes] = []
        self._counts = False
        self._handled = 0
        self.joined: list[str] = []
        self.joined_at: list[float] = []
        self.replies = 0
        self.last_reply = b""
        self.roster = b"<query xmlns='jabber:iq:roster'/>"
        raw.setblocking(False)

    # Called by scenarios.

    def until_joined(self, rooms: int = 1, timeout: float = 30.0) -> None:
        """Serve until the client has joined ``rooms`` rooms."""
        self._serve(lambda: len(self.joined) >= rooms, timeout, f"{rooms} rooms are not joined")

    def converse(self, commands: int, timeout: float = 60.0) -> None:
        """Send commands, at most WINDOW under way, until all are answered."""
        first, sent = self.replies, 0
        data = [stanzas.command(f"w{number}") for number in range(commands)]
        ends = time.monotonic() + timeout
        while self.replies - first < commands:
            answered = self.replies - first
            while sent < commands and sent - answered <= WINDOW - 100:
                self.write(data[sent : sent + 100])
                sent += 100
            self._serve(
                lambda answered=answered: self.replies - first > answered,  # type: ignore[misc]
                ends - time.monotonic(),
                f"{answered} of {commands} commands are answered",
            )

    def say(self, data: Iterable[bytes], timeout: float = 60.0, number: int = 0) -> None:
        """Send ``data``, then a command; return when that is answered: the rest is handled."""
        mark = f"mark{time.monotonic_ns()}"
        self.write(data)
        self.write([stanzas.command(mark, number=number)])
        wanted = f"pong {mark}<".encode()
        self._serve(lambda: wanted in self.last_reply, timeout, "the last command is not answered")

    def write(self, data: Iterable[bytes]) -> None:
        """Queue stanzas; with stream management, add regular ack requests."""
        pieces = list(data)
        if self._counts:
            asking = b"<r xmlns='urn:xmpp:sm:3'/>"
            for place in range(ASK_EVERY, len(pieces), ASK_EVERY):
                pieces[place] += asking
        joined = b"".join(pieces)
        self._to_write += [joined[at : at + CHUNK] for at in range(0, len(joined), CHUNK)]

    def flush(self, timeout: float = 60.0) -> None:
        """Serve until all that was queued is written."""
        self._serve(lambda: not self._to_write, timeout, "the client does not read")

    def drop(self) -> None:
        """Cut the connection as a broken network does: with a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    # Internals.

    def _serve(self, done: Callable[[], bool], timeout: float, otherwise: str) -> None:
        ends = time.monotonic() + timeout
        while not done():
            if time.monotonic() > ends:
                raise Stalled(otherwise)
            self._write()
            select.select([self._socket], [self._socket] if self._to_write else [], [], 0.5)
            self._read()

    def _write(self) -> None:
        while self._to_write:
            # Join small pieces that are ready into one write.
            size, last = len(self._to_write[0]), 1
            while last < len(self._to_write) and size + len(self._to_write[last]) <= TOGETHER:
                size += len(self._to_write[last])
                last += 1
            self._to_write[:last] = [b"".join(self._to_write[:last])]
            try:
                sent = self._socket.send(self._to_write[0])
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
                return
            if sent < len(self._to_write[0]):
                self._to_write[0] = self._to_write[0][sent:]
            else:
                del self._to_write[0]

    def _read(self) -> None:
        while True:
            try:
                data = self._socket.recv(CHUNK)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                return
            except OSError as error:
                raise Stalled(f"the connection broke: {error}") from None
            if not data:
                raise Stalled("the client closed the connection")
            received = self._received + data
            end = 0
            for found in _STANZA.finditer(received):
                end = found.end()
                self._got(found)
            self._received = received[end:]

    def _got(self, found: re.Match[bytes]) -> None:
        kind = found[1] or found[2] or found[3]
        if self._counts and kind in (b"message", b"presence", b"iq"):
            self._handled += 1
        if kind == b"message":
            self.replies += 1
            self.last_reply = found[0]
        elif kind == b"r":
            self._answer(f"<a xmlns='{stanzas.SM}' h='{self._handled}'/>")
        elif kind == b"a":
            pass
        elif kind == b"stream:stream":
            self._answer(_HEADER.format(next(self._features)))
        elif kind == b"starttls":
            self._start_tls()
        elif kind == b"auth":
            self._answer("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
        elif kind == b"enable":
            self._counts = True
            self._answer(f"<enabled xmlns='{stanzas.SM}'/>")
        elif kind in (b"presence", b"iq"):
            given = {name: one or two for name, one, two in _ATTRIBUTE.findall(found[4])}
            if kind == b"iq":
                self._got_iq(given, found[5] or b"")
            elif b"type" not in given and b"/" in given.get(b"to", b""):
                self._got_join(given[b"to"].decode())

    def _got_iq(self, given: dict[bytes, bytes], content: bytes) -> None:
        if given.get(b"type") not in (b"get", b"set"):
            return
        payload = b""
        if b"xmpp-bind" in content:
            payload = (
                f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{stanzas.BOT}</jid></bind>"
            ).encode()
        elif b"jabber:iq:roster" in content:
            payload = self.roster
        sender = b" from='" + given[b"to"] + b"'" if b"to" in given else b""
        self._to_write.append(
            b"<iq type='result' id='" + given.get(b"id", b"") + b"'" + sender + b">"
            + payload + b"</iq>"
        )  # fmt: skip

    def _got_join(self, address: str) -> None:
        room, _, nick = address.partition("/")
        self.joined.append(room)
        self.joined_at.append(time.monotonic())
        number = int(room.removeprefix("room").partition("@")[0])
        self.write([*stanzas.speakers(number), stanzas.welcome(number, nick)])

    def _answer(self, text: str) -> None:
        self._to_write.append(text.encode())

    def _start_tls(self) -> None:
        self._socket.setblocking(True)
        self._socket.settimeout(10)
        self._socket.sendall(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        self._socket = self._tls.wrap_socket(self._socket, server_side=True)
        self._socket.setblocking(False)
