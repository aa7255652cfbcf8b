"""Whole logins over real TLS on loopback, against the embedded server."""

import json
from pathlib import Path

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.trial import unittest
from twisted.words.protocols.jabber.xmlstream import STREAM_AUTHD_EVENT
from twisted.words.xish.xmlstream import STREAM_END_EVENT

from tests.chat.xmpp.security.test_tls import Identity, limit
from xbot.chat.xmpp.security.downgrade import Downgrade, DowngradeProtection
from xbot.chat.xmpp.security.tls import WrongPeer, client_options
from xbot.chat.xmpp.stream.endpoints import host_endpoint
from xbot.chat.xmpp.stream.login import Account, Login
from xbot.chat.xmpp.stream.stream import StreamFactory
from xbot.chat.xmpp.wire.errors import ConnectionProblem, LoginRefused
from xbot.config.settings import SASL_MECHANISMS, Secret
from xbot.embedded_server import EmbeddedServer, credentials
from xbot.embedded_server.certificate import Certificate
from xbot.embedded_server.login import Login as ServerLogin
from xbot.model.jid import Jid

JID = Jid.parse("bot@localhost/bot")
PASSWORD = "pencil"
SCRAM = tuple(name for name in SASL_MECHANISMS if name.startswith("SCRAM"))


class SecureCase(unittest.TestCase):
    timeout = 30

    def setUp(self):
        self.certificate = Certificate.make("localhost")
        self.heard = []
        got_element = ServerLogin.got_element

        def remember(login, element):
            self.heard.append(element.toXml())
            got_element(login, element)

        self.patch(ServerLogin, "got_element", remember)
        self.server = self.serve()

    def serve(self, **more):
        server = EmbeddedServer(reactor, {"bot": PASSWORD}, certificate=self.certificate, **more)
        self.addCleanup(server.stop)
        return server

    def only(self, newest):
        """The server speaks nothing newer than this."""
        self.server.tls_options = lambda: limit(self.certificate.options(), newest)

    def account(self, **more):
        more.setdefault("tls", client_options("localhost", self.certificate.pem))
        return Account(JID, Secret(more.pop("password", PASSWORD)), **more)

    async def log_in(self, account, port=None, direct=None):
        """Connect and log in; gives the stream, or the problem that ended it."""
        if port is None:
            port = await self.server.listen()
        factory = StreamFactory(
            lambda: Login(account, reactor, lambda function: succeed(function())),
            "localhost",
            reactor,
        )
        outcome = Deferred()
        ended = Deferred()

        def got_end(reason):
            ended.callback(None)
            if not outcome.called:
                outcome.callback(reason.value)

        factory.addBootstrap(STREAM_AUTHD_EVENT, outcome.callback)
        factory.addBootstrap(STREAM_END_EVENT, got_end)
        stream = await host_endpoint(reactor, "127.0.0.1", port, direct).connect(factory)
        found = await outcome
        self.addCleanup(lambda: ended)
        self.addCleanup(stream.end, ConnectionProblem("the test is over"))
        return found

    def auths(self):
        """The beginnings of logins that the server heard."""
        return [element for element in self.heard if "<auth" in element]

    def payload(self):
        """What the last of them said."""
        return credentials.decode(self.auths()[-1].partition(">")[2].partition("<")[0]).decode()


class StartTlsTests(SecureCase):
    async def test_tls_1_3(self):
        """On TLS 1.3 a login is by SCRAM-SHA-512-PLUS, bound by tls-exporter."""
        stream = await self.log_in(self.account())
        self.assertEqual(stream.authenticator.jid, JID)
        self.assertTrue(stream.is_encrypted)
        [auth] = self.auths()
        self.assertIn("mechanism='SCRAM-SHA-512-PLUS'", auth)
        self.assertTrue(self.payload().startswith("p=tls-exporter,,n=bot,r="))

    async def test_tls_1_2(self):
        """On TLS 1.2 it is bound by tls-unique."""
        self.only(SSL.TLS1_2_VERSION)
        stream = await self.log_in(self.account())
        self.assertEqual(stream.authenticator.jid, JID)
        self.assertTrue(self.payload().startswith("p=tls-unique,,n=bot,r="))

    async def test_every_mechanism(self):
        """Each mechanism logs in where it is the only one, and where it is the best."""
        port = await self.server.listen()
        account = self.account()
        for number, name in enumerate((*SCRAM, "PLAIN")):
            for offered in (name,), (*SCRAM, "PLAIN")[number:]:
                self.server.mechanisms = offered
                stream = await self.log_in(account, port)
                self.assertEqual(stream.authenticator.jid.bare, JID.bare, offered)
                self.assertIn(f"mechanism='{name}'", self.auths()[-1])

    async def test_wrong_password(self):
        """A wrong password is refused, bound or not."""
        for name in "SCRAM-SHA-512-PLUS", "SCRAM-SHA-1", "PLAIN":
            self.server.mechanisms = (name,)
            await self.server.stop()
            problem = await self.log_in(self.account(password="no"))
            self.assertIsInstance(problem, LoginRefused)

    async def test_another_connection(self):
        """A login bound to one TLS connection is of no use on another (RFC 5802 6)."""
        self.patch(
            ServerLogin, "_bindings", lambda login: {"tls-exporter": b"of the other connection"}
        )
        problem = await self.log_in(self.account())
        self.assertIsInstance(problem, LoginRefused)
        self.assertIn("tls-exporter", self.payload())

    async def test_tls_unique_on_tls_1_3(self):
        """A server that knows tls-unique alone, and does not say so, gets it: never less."""

        def finished(login):
            connection = login.xmlstream.transport.getHandle()
            return {"tls-unique": connection.get_peer_finished()}

        self.patch(ServerLogin, "_bindings", finished)
        self.patch(ServerLogin, "_offer_bindings", lambda login, features: None)
        stream = await self.log_in(self.account())
        self.assertEqual(stream.authenticator.jid, JID)
        self.assertEqual(len(self.auths()), 2)
        self.assertTrue(self.payload().startswith("p=tls-unique,,"))

    async def test_no_second_try_after_a_proof(self):
        """Refused after our proof, and refused twice, is refused: no password is tried again."""
        self.patch(ServerLogin, "_offer_bindings", lambda login, features: None)
        problem = await self.log_in(self.account(password="no"))
        self.assertIsInstance(problem, LoginRefused)
        self.assertEqual(len(self.auths()), 1)
        self.patch(ServerLogin, "_bindings", lambda login: {"x": b"y"})
        await self.server.stop()
        del self.heard[:]
        problem = await self.log_in(self.account())
        self.assertIsInstance(problem, LoginRefused)
        self.assertEqual(len(self.auths()), 2)
        self.assertTrue(all("-PLUS" in auth for auth in self.auths()))

    async def test_stripped(self):
        """A server that finds its -PLUS taken out of the list refuses our flag "y"."""
        mechanisms = ServerLogin._mechanisms
        self.patch(
            ServerLogin,
            "_mechanisms",
            lambda login: [name for name in mechanisms(login) if not name.endswith("-PLUS")],
        )
        self.patch(ServerLogin, "_offer_bindings", lambda login, features: None)
        problem = await self.log_in(self.account())
        self.assertIsInstance(problem, LoginRefused)
        self.assertTrue(self.payload().startswith("y,,"))


class RefusedTests(SecureCase):
    async def test_pins(self):
        """A server with none of the pinned keys gets no credential, good certificate or not."""
        problem = await self.log_in(self.account(pins=frozenset({bytes(32)})))
        self.assertIsInstance(problem, WrongPeer)
        self.assertEqual(self.auths(), [])

    async def test_downgrade(self):
        """What this account used before is asked for again, until the operator says otherwise."""
        path = Path(self.mktemp()) / "login.json"
        port = await self.server.listen()
        await self.log_in(self.account(remembered=DowngradeProtection(path)), port)
        self.assertEqual(
            json.loads(path.read_text())["bot@localhost"],
            {"mechanism": "SCRAM-SHA-512-PLUS", "binding": "tls-exporter"},
        )
        del self.heard[:]
        for offered in ("PLAIN",), ("SCRAM-SHA-512", "PLAIN"):
            self.server.mechanisms = offered
            problem = await self.log_in(self.account(remembered=DowngradeProtection(path)), port)
            self.assertIsInstance(problem, Downgrade)
            self.assertIn("sasl = ", str(problem))
            self.assertEqual(self.auths(), [])
        allowed = self.account(
            remembered=DowngradeProtection(path), mechanisms=("SCRAM-SHA-512", "PLAIN")
        )
        stream = await self.log_in(allowed, port)
        self.assertEqual(stream.authenticator.jid.bare, JID.bare)

    async def test_only_the_end_point(self):
        """After tls-exporter a server that offers tls-server-end-point alone hears no login.

        The ini's way out is ``sasl``, also for a server that went back to TLS 1.2.
        """
        path = Path(self.mktemp()) / "login.json"
        port = await self.server.listen()
        await self.log_in(self.account(remembered=DowngradeProtection(path)), port)
        known = ServerLogin._bindings
        end_point = "tls-server-end-point"
        self.patch(ServerLogin, "_bindings", lambda login: {end_point: known(login)[end_point]})
        for newest in SSL.TLS1_3_VERSION, SSL.TLS1_2_VERSION:
            self.only(newest)
            del self.heard[:]
            problem = await self.log_in(self.account(remembered=DowngradeProtection(path)), port)
            self.assertIsInstance(problem, Downgrade)
            self.assertEqual(self.auths(), [])
            allowed = self.account(
                remembered=DowngradeProtection(path), mechanisms=("SCRAM-SHA-512-PLUS",)
            )
            stream = await self.log_in(allowed, port)
            self.assertEqual(stream.authenticator.jid.bare, JID.bare)
            self.assertTrue(self.payload().startswith(f"p={end_point},,"))

    async def test_a_failed_login_is_not_remembered(self):
        """Only a server that has proved itself sets what is asked for."""
        path = Path(self.mktemp()) / "login.json"
        await self.log_in(self.account(remembered=DowngradeProtection(path), password="no"))
        self.assertFalse(path.exists())

    async def test_certificates(self):
        """With a bad certificate nothing of the login is heard, by STARTTLS or by direct TLS."""
        authority = Identity("CA", authority=True)
        port = await self.server.listen()
        for identity in Identity("evil.example", authority), Identity("localhost"):
            self.server.tls_options = identity.options
            direct = await self.listen_directly(identity.options())
            for where, options in (
                (port, None),
                (direct, client_options("localhost", authority.pem)),
            ):
                account = self.account(tls=client_options("localhost", authority.pem))
                problem = await self.log_in(account, where, options)
                self.assertIn("certificate", str(problem))
        self.assertEqual([element for element in self.heard if "starttls" not in element], [])

    async def listen_directly(self, options):
        listening = reactor.listenSSL(0, self.server.factory, options, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        return listening.getHost().port


class DirectTests(SecureCase):
    """XEP-0368: TLS from the first byte."""

    def setUp(self):
        super().setUp()
        self.server.starttls = False
        self.direct = client_options("localhost", self.certificate.pem, direct=True)

    async def listen(self, options):
        listening = reactor.listenSSL(0, self.server.factory, options, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        return listening.getHost().port

    async def test_login(self):
        """The login is the same, without STARTTLS (rule 5)."""
        port = await self.listen(self.certificate.options())
        stream = await self.log_in(self.account(), port, self.direct)
        self.assertEqual(stream.authenticator.jid, JID)
        self.assertTrue(stream.is_encrypted)
        self.assertNotIn("starttls", "".join(self.heard))
        self.assertIn("mechanism='SCRAM-SHA-512-PLUS'", self.auths()[0])
        self.assertTrue(self.payload().startswith("p=tls-exporter,,n=bot,r="))

    async def test_pins(self):
        """Pins count for direct TLS as well."""
        port = await self.listen(self.certificate.options())
        account = self.account(pins=frozenset({bytes(32)}))
        self.assertIsInstance(await self.log_in(account, port, self.direct), WrongPeer)
        self.assertEqual(self.auths(), [])

    async def test_another_protocol(self):
        """A server that answers with another protocol hears nothing of a login."""
        options = self.certificate.options()
        options.getContext().set_alpn_select_callback(lambda connection, offered: b"h2")
        problem = await self.log_in(self.account(), await self.listen(options), self.direct)
        self.assertIsInstance(problem, ConnectionProblem)
        self.assertEqual(self.auths(), [])

    async def test_no_tls(self):
        """A port that does not speak TLS hears a handshake and nothing else."""
        port = await self.server.listen()
        problem = await self.log_in(self.account(), port, self.direct)
        self.assertIsInstance(problem, ConnectionProblem)
        self.assertEqual(self.heard, [])
