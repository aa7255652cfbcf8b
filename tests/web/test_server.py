"""Tests of :mod:`xbot.web.server`, over an in-memory transport."""

import gc

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial import unittest

from xbot.web.answer import HTML, Answer
from xbot.web.server import (
    MAX_BODY,
    MAX_CONNECTIONS,
    MAX_SECONDS,
    MIN_SECONDS,
    Bounded,
    HttpServer,
)

PEER = IPv4Address("TCP", "127.0.0.1", 40000)


class Transport(StringTransport):
    aborted = False

    def abortConnection(self):
        self.aborted = True
        self.loseConnection()


class ServerCase(unittest.TestCase):
    hosts: frozenset[str] | None = frozenset({"localhost", "127.0.0.1", "[::1]"})

    def setUp(self):
        self.clock = Clock()
        self.pages = {
            "/": lambda: Answer(b"<p>", HTML),
            "/style.css": lambda: Answer(b"p {}", max_age=300),
            "/broken": lambda: 1 // 0,
        }
        self.factory = Bounded(HttpServer(self.pages, self.hosts, self.clock), self.clock)

    def connect(self, peer=PEER):
        protocol = self.factory.buildProtocol(peer)
        if protocol is None:
            return None, None
        transport = Transport(peerAddress=peer)
        protocol.makeConnection(transport)
        return protocol, transport

    def ask(self, data: bytes):
        """The status line's number, the headers and the body; the connection is closed."""
        protocol, transport = self.connect()
        protocol.dataReceived(data)
        self.assertTrue(transport.disconnecting, transport.value())
        head, _, body = transport.value().partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        protocol.connectionLost()
        return int(status.split()[1]), headers, body

    def get(self, path: str = "/", method: str = "GET", host: str = "localhost:8088"):
        return self.ask(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())


class AnswerTests(ServerCase):
    def test_page(self):
        """A page is told what it is and by nobody's name, and nothing of it is kept or framed."""
        status, headers, body = self.get()
        self.assertEqual((status, body, headers["content-length"]), (200, b"<p>", "3"))
        self.assertEqual(headers["content-type"], HTML)
        self.assertEqual(headers["server"], "xbot")
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertEqual(headers["connection"], "close")
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        policy = headers["content-security-policy"]
        self.assertTrue(policy.startswith("default-src 'none';"))
        for never in ("script", "unsafe", "http", "*"):
            self.assertNotIn(never, policy)
        self.assertEqual(self.get("/style.css")[1]["cache-control"], "max-age=300")
        self.assertEqual(self.get("/?x=1")[0], 200)

    def test_head(self):
        """HEAD gets the headers alone."""
        status, headers, body = self.get(method="HEAD")
        self.assertEqual((status, headers["content-length"], body), (200, "3", b""))

    def test_what_is_not_there(self):
        """Any other path is told as such, and nothing leads out of the pages."""
        for path in ("/x", "/../etc/passwd", "//", "/%2e%2e/", "http://localhost/", "*"):
            self.assertEqual(self.get(path)[0], 404, path)

    def test_methods(self):
        """All of it can only be read."""
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "X"):
            status, headers, _ = self.get(method=method)
            self.assertEqual((status, headers["allow"]), (405, "GET, HEAD"), method)

    def test_a_page_that_fails(self):
        """A mistake of ours is told to the log, not to the browser."""
        status, _, body = self.get("/broken")
        self.assertEqual(status, 500)
        self.assertNotIn(b"ZeroDivision", body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class HostTests(ServerCase):
    def test_own_names(self):
        """By its own names it may be asked for, whatever the port and the case."""
        for host in ("localhost", "LOCALHOST:1", "127.0.0.1:8088", "[::1]", "[::1]:8088"):
            self.assertEqual(self.get(host=host)[0], 200, host)

    def test_others(self):
        """Nobody's page can read it by giving its own name our address (DNS rebinding)."""
        for host in ("evil.example", "localhost.evil.example", "", "evil@localhost", "[::1", "::1"):
            status, _, body = self.get(host=host)
            self.assertIn(status, (400, 421), host)
            self.assertNotIn(b"<p>", body)

    def test_in_words(self):
        """Twisted has no words for some of our statuses."""
        protocol, transport = self.connect()
        protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 421 Misdirected Request\r\n"))
        protocol.connectionLost()

    def test_none_or_several(self):
        """A request without a host, or with two, is refused."""
        self.assertIn(self.ask(b"GET / HTTP/1.1\r\n\r\n")[0], (400, 421))
        self.assertIn(self.ask(b"GET / HTTP/1.0\r\n\r\n")[0], (400, 421))
        two = b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
        self.assertIn(self.ask(two)[0], (400, 421))


class AnyHostTests(ServerCase):
    hosts = None

    def test_any_name(self):
        """Where nobody said by which names, any will do."""
        self.assertEqual(self.get(host="status.example.org")[0], 200)


class FalseDoor:
    """Fake PostHandler for /webhook/x, which responds when the test tells it to."""

    def __init__(self):
        self.posted = []

    def is_path(self, path):
        return path == "/webhook/x"

    def post(self, posted):
        answer = Deferred()
        self.posted.append((posted, answer))
        return answer


class PostTests(ServerCase):
    def setUp(self):
        super().setUp()
        self.door = FalseDoor()
        self.factory = Bounded(
            HttpServer(self.pages, self.hosts, self.clock, self.door), self.clock
        )

    def send(self, body: bytes = b"body", more: str = "", path: str = "/webhook/x"):
        """A connection over which this was posted."""
        length = f"Content-Length: {len(body)}"
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n{more}\r\n"
        protocol, transport = self.connect()
        protocol.dataReceived(head.encode() + body)
        return protocol, transport

    def test_answered_later(self):
        """What is posted is handed over as it came, and answered once that is known."""
        body = bytes(range(256)) * 4096
        protocol, transport = self.send(body, "X-Hub-Signature-256: sha256=00\r\n")
        posted, answer = self.door.posted[0]
        self.assertEqual((posted.path, posted.body), ("/webhook/x", body))
        self.assertEqual(posted.headers["x-hub-signature-256"], "sha256=00")
        self.assertEqual(transport.value(), b"")
        answer.callback(Answer.text("this will be said", 202))
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 202 "))
        self.assertTrue(transport.disconnecting)
        protocol.connectionLost()

    def test_gone(self):
        """Who has gone meanwhile is answered nothing."""
        protocol, transport = self.send()
        protocol.connectionLost()
        self.door.posted.pop()[1].callback(Answer.text("said", 202))
        self.assertEqual(transport.value(), b"")
        # What nobody waits for fails in silence until it is thrown away.
        del protocol, transport
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_mistake(self):
        """A mistake of ours is a 500 and a line in the log."""
        _, transport = self.send()
        self.door.posted[0][1].errback(ZeroDivisionError())
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 500 "))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_refused(self):
        """Nothing else is posted, read, or of a length that nobody told."""
        self.assertEqual(self.ask(b"POST /x HTTP/1.1\r\nHost: localhost\r\n\r\n")[0], 404)
        status, headers, _ = self.get("/webhook/x")
        self.assertEqual((status, headers["allow"]), (405, "POST"))
        status, headers, _ = self.get("/", "POST")
        self.assertEqual((status, headers["allow"]), (405, "GET, HEAD"))
        self.assertEqual(self.get("/webhook/x", "POST", host="evil.example")[0], 421)
        chunks = b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
        head = b"POST /webhook/x HTTP/1.1\r\nHost: localhost\r\n"
        self.assertEqual(self.ask(head + chunks)[0], 411)
        big = head + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1)
        self.assertEqual(self.ask(big + b"x" * (MAX_BODY + 1))[0], 413)
        self.assertEqual(self.door.posted, [])


class BoundTests(ServerCase):
    def test_bodies(self):
        """A body of any length, or of none that is told, costs no memory."""
        for length in (f"Content-Length: {10**12}", "Transfer-Encoding: chunked"):
            protocol, transport = self.connect()
            head = f"POST / HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n"
            protocol.dataReceived(head.encode())
            for _ in range(100):
                protocol.dataReceived(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            self.clock.advance(MAX_SECONDS)
            self.assertTrue(transport.disconnecting)
        big = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1)
        self.assertEqual(self.ask(big + b"x" * (MAX_BODY + 1))[0], 413)

    def test_long_headers(self):
        """Lines and headers without end, or too many of them, close the connection."""
        for data in (
            b"GET /" + b"x" * 100_000,
            b"GET / HTTP/1.1\r\nA: " + b"x" * 100_000,
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 10_000,
        ):
            protocol, transport = self.connect()
            protocol.dataReceived(data)
            self.assertTrue(transport.disconnecting, data[:30])

    def test_garbage(self):
        """What is no HTTP is no harm."""
        for data in (
            b"\x16\x03\x01\x00\xa5",
            b"\0" * 100 + b"\r\n\r\n",
            b"GET\r\n\r\n",
            b"\r\n" * 9,
        ):
            protocol, transport = self.connect()
            protocol.dataReceived(data)
            self.clock.advance(MAX_SECONDS)
            self.assertTrue(transport.disconnecting, data)

    def test_slow(self):
        """A connection ends in time, however slowly it talks."""
        protocol, transport = self.connect()
        for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\n"[: int(MAX_SECONDS)]:
            protocol.dataReceived(bytes([byte]))
            self.clock.advance(1)
        self.assertTrue(transport.aborted)

    def test_one_request(self):
        """A connection has one request: what is sent after it is not answered."""
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
        self.assertEqual(self.ask(request * 5)[2], b"<p>")

    def test_many(self):
        """So many connections are open at once; when one is closed there is room again."""
        opened = [self.connect()[0] for _ in range(MAX_CONNECTIONS)]
        self.assertEqual(self.connect(), (None, None))
        opened[0].connectionLost()
        self.assertIsNotNone(self.connect()[0])

    def test_many_that_say_nothing(self):
        """Who opens all connections and sends nothing gives one up for each that others need."""
        for _ in range(MAX_CONNECTIONS - 1):
            self.connect(IPv4Address("TCP", "192.0.2.1", 1))
        patient = self.connect()[1]
        self.clock.advance(MIN_SECONDS)
        for _ in range(MAX_CONNECTIONS // 2):
            self.assertEqual(self.get()[0], 200)
            self.connect(IPv4Address("TCP", "192.0.2.1", 1))
        self.assertFalse(patient.aborted)
        self.assertLessEqual(len(self.factory.protocols), MAX_CONNECTIONS)

    def test_bytes_in_headers(self):
        """A header that is no UTF-8 is no internal error; a Host of such bytes is none of ours."""
        for name in (b"X-Any", b"Host"):
            more = b"Host: localhost\r\n" if name != b"Host" else b""
            status, _, _ = self.ask(b"GET / HTTP/1.1\r\n" + more + name + b": \xff\xfe\r\n\r\n")
            self.assertEqual(status, 421 if name == b"Host" else 200)

    def test_nothing_left(self):
        """When all connections are closed no timer is left."""
        self.get()
        protocol, _ = self.connect()
        protocol.connectionLost()
        self.assertEqual(self.clock.getDelayedCalls(), [])
