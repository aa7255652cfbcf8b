"""Contract tests: every SASL mechanism that a server offers, and direct TLS (XEP-0368)."""

from __future__ import annotations

import re
import socket
import ssl

from attrs import frozen

from tests.integration.contract import Scene
from tests.integration.process import DEADLINE, say_figures, wait_until
from tests.integration.server import Server

#: The bot's SASL mechanisms besides EXTERNAL, best first.
OURS = (
    *("SCRAM-SHA-512-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"),
    *("SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"),
    "PLAIN",
)

_HEADER = (
    "<?xml version='1.0'?><stream:stream to='{}' version='1.0' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)
_STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

_LOGGED_MECHANISM = re.compile(r"<auth [^>]*mechanism=(?:\\?['\"])([A-Z0-9-]+)")


@frozen
class Offer:
    """A server's stream features inside TLS of version ``tls``."""

    tls: str | None
    alpn: str | None
    mechanisms: frozenset[str]


class MechanismContract(Scene):
    """The bot can log in with each mechanism that the server offers."""

    def test_each_mechanism_over_tls_1_3(self) -> None:
        """With ``sasl =`` each mechanism of ours that the server offers logs in over TLS 1.3."""
        self.check_each(self.other_server(plain_passwords=True), "TLSv1.3")

    def test_each_mechanism_over_tls_1_2(self) -> None:
        """The same over TLS 1.2."""
        self.check_each(self.other_server(plain_passwords=True, tls12=True), "TLSv1.2")

    def test_direct_tls(self) -> None:
        """With ``tls = direct`` the bot logs in where TLS begins with the first byte."""
        offer = read_offer(self.server, direct=True)
        self.assertIn(offer.alpn, (None, "xmpp-client"))
        since = len(self.server.log())
        room = self.room()
        alice = self.person()
        alice.create(room)
        self.bot([room], port=self.server.direct_port, xmpp="tls = direct").start_and_join()
        self.catch_up(alice, room)
        self.await_login(self.server, since, best(offer))

    def check_each(self, server: Server, version: str) -> None:
        """Log in by each mechanism that ``server`` offers, and without ``sasl`` by the best."""
        offer = read_offer(server)
        self.assertEqual(offer.tls, version)
        usable = [name for name in OURS if name in offer.mechanisms]
        self.assertIn("SCRAM-SHA-1", usable)
        for mechanism in usable:
            with self.subTest(mechanism):
                self.check_login(server, mechanism, f"sasl = {mechanism}")
        self.check_login(server, best(offer), "")
        say_figures(f"{server.name}, {version}: {', '.join(usable)}")

    def check_login(self, server: Server, mechanism: str, xmpp: str) -> None:
        """With these lines in its ini, the bot logs in by ``mechanism``."""
        since = len(server.log())
        bot = self.bot(server=server, xmpp=xmpp)
        bot.start_and_join()
        bot.stop()
        self.await_login(server, since, mechanism)

    def await_login(self, server: Server, since: int, mechanism: str) -> None:
        """The one who logged in since did it by ``mechanism``."""
        wait_until(
            lambda: mechanism in _LOGGED_MECHANISM.findall(server.log()[since:]),
            lambda: f"{mechanism} in {_LOGGED_MECHANISM.findall(server.log()[since:])}",
            DEADLINE,
        )


def best(offer: Offer) -> str:
    """The mechanism that the bot should choose by default."""
    return next(name for name in OURS if name in offer.mechanisms)


def read_offer(server: Server, *, direct: bool = False) -> Offer:
    """The SASL mechanisms that ``server`` offers over TLS, read by a minimal client."""
    context = ssl.create_default_context(cafile=str(server.ca_file))
    if direct:
        context.set_alpn_protocols(["xmpp-client"])
    port = server.direct_port if direct else server.port
    with socket.create_connection((server.host, port), DEADLINE) as connection:
        if not direct:
            _ask(connection, _HEADER.format(server.domain), "</stream:features>")
            _ask(connection, _STARTTLS, "<proceed")
        with context.wrap_socket(connection, server_hostname=server.domain) as secured:
            features = _ask(secured, _HEADER.format(server.domain), "</stream:features>")
            return Offer(
                secured.version(),
                secured.selected_alpn_protocol(),
                frozenset(re.findall(r"<mechanism>([^<]+)</mechanism>", features)),
            )


def _ask(connection: socket.socket, text: str, until: str) -> str:
    """Send ``text``; return what was received, once it contains ``until``."""
    connection.sendall(text.encode())
    came = ""
    while until not in came:
        data = connection.recv(65536)
        if not data:
            raise AssertionError(f"the server closed the connection after {came!r}")
        came += data.decode()
    return came
