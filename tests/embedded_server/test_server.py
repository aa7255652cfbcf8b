"""The embedded server: login, routing of stanzas, listening and stopping."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from typing import Any

from twisted.internet import defer, endpoints, reactor, ssl
from twisted.internet.interfaces import ITLSTransport
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import TestCase
from twisted.words.protocols.jabber import client, xmlstream
from twisted.words.protocols.jabber.jid import JID
from twisted.words.xish import domish
from zope.interface import implementer

from xbot.embedded_server import EmbeddedServer
from xbot.embedded_server.login import Login
from xbot.embedded_server.stream import CLOSE_GRACE, MAX_STANZA, MAX_UNREAD

HEADER = (
    "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)
SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>%s</bind></iq>"
ACCOUNTS = {"alice": "wonder", "bob": "builder"}


def parsed(text: str) -> list[Any]:
    """The elements in what a server said; fails unless it is well-formed."""
    found: list[Any] = []
    parser = domish.elementStream()
    parser.DocumentStartEvent = parser.DocumentEndEvent = lambda *_: None
    parser.ElementEvent = found.append
    parser.parse(HEADER.encode() + text.encode() + b"</stream:stream>")
    return found


@implementer(ITLSTransport)
class SecurableTransport(StringTransport):
    """An in-memory transport with simulated TLS."""

    is_secure = False
    aborted = False

    def startTLS(self, options: Any, normal: bool = True) -> None:
        self.is_secure = True

    def abortConnection(self) -> None:
        self.aborted = True


class Wire:
    """A minimal in-memory client: text in, text or elements out."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.transport = SecurableTransport()
        self.stream = server.factory.buildProtocol(None)
        self.stream.makeConnection(self.transport)
        self.jid = ""

    def said(self) -> str:
        """What came since the last time."""
        text = self.transport.value().decode()
        self.transport.clear()
        return text

    def say(self, text: str) -> str:
        """Send this; what came then."""
        self.stream.dataReceived(text.encode())
        return self.said()

    def ask(self, text: str) -> list[Any]:
        """Send this; the elements that came then."""
        return parsed(self.say(text))

    def heard(self) -> list[Any]:
        """The elements that came since the last time."""
        return parsed(self.said())

    def scram(self, local: str, password: str, tamper: str = "", gs2: str = "n,,") -> str:
        """Authenticate, honestly unless told otherwise; what came last."""
        first = f"n={local},r=abc"
        opening = self.say(f"<auth {SASL} mechanism='SCRAM-SHA-256'>{b64(gs2 + first)}</auth>")
        if "<challenge" not in opening:
            return opening
        challenge = b64decode(str(parsed(opening)[0])).decode()
        fields = dict(item.split("=", 1) for item in challenge.split(","))
        bare = f"c={b64(gs2 if tamper != 'c' else 'y,,')},r={fields['r']}"
        if tamper == "r":
            bare += "x"
        salted = hashlib.pbkdf2_hmac(
            "sha256", password.encode(), b64decode(fields["s"]), int(fields["i"])
        )
        key = hmac.digest(salted, b"Client Key", "sha256")
        said = f"{first},{challenge},{bare}".encode()
        signature = hmac.digest(hashlib.sha256(key).digest(), said, "sha256")
        proof = b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
        self.server_signature = hmac.digest(
            hmac.digest(salted, b"Server Key", "sha256"), said, "sha256"
        )
        return self.say(f"<response {SASL}>{b64(f'{bare},p={proof}')}</response>")

    def log_in(self, local: str, resource: str = "") -> Wire:
        """Go all the way to a bound resource, and be available."""
        self.say(HEADER)
        assert "<success" in self.scram(local, ACCOUNTS[local])
        self.say(HEADER)
        [answer] = self.ask(BIND % (f"<resource>{resource}</resource>" if resource else ""))
        self.jid = str(answer.bind.jid)
        self.say("<presence/>")
        return self


def b64(text: str) -> str:
    return b64encode(text.encode()).decode()


def condition(stanza: Any) -> str:
    """The condition of an error stanza."""
    assert stanza["type"] == "error", stanza.toXml()
    return str(stanza.error.firstChildElement().name)


class ServerCase(TestCase):
    """A server without TLS or network."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.server = EmbeddedServer(self.clock, ACCOUNTS, starttls=False)

    def enter(self, local: str, resource: str = "") -> Wire:
        return Wire(self.server).log_in(local, resource)


class LoginTests(ServerCase):
    """The login, from the stream header to the bound resource."""

    def test_starttls_first(self) -> None:
        """Until TLS is up nothing but STARTTLS is offered or accepted."""
        wire = Wire(EmbeddedServer(self.clock, ACCOUNTS))
        offer = wire.say(HEADER)
        self.assertIn("<required/>", offer)
        self.assertNotIn("mechanism", offer)
        said = wire.say(f"<auth {SASL} mechanism='PLAIN'>{b64(chr(0) + 'a' + chr(0))}</auth>")
        self.assertIn("policy-violation", said)

    def test_plain_after_tls(self) -> None:
        """PLAIN is offered and works under TLS."""
        wire = Wire(EmbeddedServer(self.clock, ACCOUNTS))
        wire.say(HEADER)
        self.assertIn("<proceed", wire.say(STARTTLS))
        self.assertTrue(wire.transport.is_secure)
        self.assertIn(">PLAIN<", wire.say(HEADER))
        payload = b64("\0alice\0wonder")
        self.assertIn("<success", wire.say(f"<auth {SASL} mechanism='PLAIN'>{payload}</auth>"))

    def test_nothing_passes_from_plaintext_into_tls(self) -> None:
        """What stood behind <starttls/> in plaintext is not heard."""
        wire = Wire(EmbeddedServer(self.clock, ACCOUNTS))
        wire.say(HEADER)
        payload = b64("\0alice\0wonder")
        said = wire.say(f"{STARTTLS}<auth {SASL} mechanism='PLAIN'>{payload}</auth>")
        self.assertTrue(said.endswith("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"))
        self.assertIn("mechanisms", wire.say(HEADER))

    def test_plain_never_without_tls(self) -> None:
        """Without TLS PLAIN is neither offered nor accepted."""
        wire = Wire(self.server)
        self.assertNotIn("PLAIN", wire.say(HEADER))
        said = wire.say(f"<auth {SASL} mechanism='PLAIN'>{b64(chr(0) * 2)}</auth>")
        self.assertIn("<invalid-mechanism/>", said)

    def test_channel_binding(self) -> None:
        """With TLS data -PLUS and its types are offered, and the flags (RFC 5802 6) are checked."""
        wire = Wire(self.server)
        self.assertNotIn("PLUS", wire.say(HEADER))
        data = {"tls-exporter": b"E", "tls-server-end-point": b"P"}
        self.patch(Login, "_bindings", lambda login: data)
        wire = Wire(self.server)
        offer = wire.say(HEADER)
        self.assertIn("<mechanism>SCRAM-SHA-512-PLUS</mechanism>", offer)
        self.assertIn("<channel-binding type='tls-exporter'/>", offer)
        for mechanism, flag, answer in (
            ("SCRAM-SHA-256-PLUS", "p=tls-exporter", "<challenge"),
            ("SCRAM-SHA-256-PLUS", "p=tls-server-end-point", "<challenge"),
            ("SCRAM-SHA-256-PLUS", "p=tls-unique", "<malformed-request/>"),
            ("SCRAM-SHA-256-PLUS", "n", "<malformed-request/>"),
            ("SCRAM-SHA-256-PLUS", "y", "<malformed-request/>"),
            ("SCRAM-SHA-256", "n", "<challenge"),
            ("SCRAM-SHA-256", "y", "<not-authorized/>"),
            ("SCRAM-SHA-256", "p=tls-exporter", "<malformed-request/>"),
        ):
            wire = Wire(self.server)
            wire.say(HEADER)
            first = b64(f"{flag},,n=alice,r=abc")
            said = wire.say(f"<auth {SASL} mechanism='{mechanism}'>{first}</auth>")
            self.assertIn(answer, said, (mechanism, flag))

    def test_server_proves_itself(self) -> None:
        """The success carries the signature that only a holder of the keys can make."""
        wire = Wire(self.server)
        wire.say(HEADER)
        [success] = parsed(wire.scram("alice", "wonder"))
        self.assertEqual(b64decode(str(success)), b"v=" + b64encode(wire.server_signature))

    def test_refused_logins(self) -> None:
        """Each wrong login gets the condition that the RFCs give it."""
        cases = {
            "not-authorized": lambda wire: wire.scram("alice", "wrong"),
            "not-authorized ": lambda wire: wire.scram("nobody", "wonder"),
            "not-authorized  ": lambda wire: wire.scram("alice", "wonder", tamper="c"),
            "not-authorized   ": lambda wire: wire.scram("alice", "wonder", tamper="r"),
            "malformed-request": lambda wire: wire.scram("alice", "wonder", gs2="p=tls-unique,,"),
            "invalid-authzid": lambda wire: wire.scram("alice", "wonder", gs2="n,a=bob@localhost,"),
            "incorrect-encoding": lambda wire: wire.say(
                f"<auth {SASL} mechanism='SCRAM-SHA-1'>?</auth>"
            ),
            "invalid-mechanism": lambda wire: wire.say(f"<auth {SASL} mechanism='X'/>"),
            "malformed-request ": lambda wire: wire.say(f"<response {SASL}/>"),
            "aborted": lambda wire: wire.say(f"<abort {SASL}/>"),
        }
        for expected, attempt in cases.items():
            wire = Wire(self.server)
            wire.say(HEADER)
            self.assertIn(f"<{expected.strip()}/>", attempt(wire))
            self.assertIn("<success", wire.scram("alice", "wonder", gs2="y,,"))

    def test_initial_response_may_come_later(self) -> None:
        """A client that sends no initial response is asked for it."""
        wire = Wire(self.server)
        wire.say(HEADER)
        said = wire.say(f"<auth {SASL} mechanism='SCRAM-SHA-1'/>")
        self.assertEqual(said, f"<challenge {SASL}/>")
        said = wire.say(f"<response {SASL}>{b64('n,,n=alice,r=x')}</response>")
        self.assertIn("<challenge", said)

    def test_guessing_ends(self) -> None:
        """After five failures the stream ends."""
        wire = Wire(self.server)
        wire.say(HEADER)
        answers = [wire.scram("alice", "wrong") for _ in range(5)]
        self.assertNotIn("stream:error", "".join(answers[:4]))
        self.assertIn("policy-violation", answers[4])

    def test_deadline(self) -> None:
        """A client that stalls before it is bound is cut off; a bound one is not."""
        silent, bound = Wire(self.server), self.enter("alice")
        self.clock.advance(30)
        self.assertIn("connection-timeout", silent.said())
        self.assertFalse(silent.transport.aborted)
        self.clock.advance(CLOSE_GRACE)
        self.assertTrue(silent.transport.aborted)
        self.assertEqual(bound.said(), "")

    def test_resource(self) -> None:
        """The resource asked for is given, and a new one when it is taken or none is asked for."""
        self.assertEqual(self.enter("alice", "tea").jid, "alice@localhost/tea")
        second, third = self.enter("alice", "tea"), self.enter("alice")
        self.assertEqual(len({second.jid, third.jid, "alice@localhost/tea"}), 3)
        self.assertEqual(len(self.server.sessions), 3)

    def test_stanza_before_bind(self) -> None:
        """No stanza is taken before there is a resource."""
        wire = Wire(self.server)
        wire.say(HEADER)
        wire.scram("alice", "wonder")
        wire.say(HEADER)
        self.assertIn("not-authorized", wire.say("<message to='bob@localhost'/>"))

    def test_bad_beginnings(self) -> None:
        """Garbage, a wrong host and wrong namespaces end the stream with their condition."""
        cases = {
            "GET / HTTP/1.1\r\n\r\n": "not-well-formed",
            "<!DOCTYPE x [<!ENTITY a 'b'>]>" + HEADER[21:]: "not-well-formed",
            HEADER.replace("to='localhost'", "to='example.org'"): "host-unknown",
            HEADER.replace("to='localhost'", "to='@'"): "improper-addressing",
            HEADER.replace("'jabber:client'", "'jabber:server'"): "invalid-namespace",
            HEADER.replace(" version='1.0' ", " "): "unsupported-version",
        }
        for text, expected in cases.items():
            said = Wire(self.server).say(text)
            self.assertIn(f"<stream:error><{expected} ", said)
            self.assertTrue(said.endswith("</stream:stream>"))


class RoutingTests(ServerCase):
    """Routing of a bound client's stanzas."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.enter("alice", "tea")

    def test_from_is_stamped(self) -> None:
        """Nobody speaks in another's name, and all of an account's sessions hear it."""
        one, two = self.enter("bob", "1"), self.enter("bob", "2")
        one.said()
        self.alice.say("<message from='x@y' to='bob@localhost' id='m'><body>hi</body></message>")
        for wire in (one, two):
            [message] = wire.heard()
            self.assertEqual(message["from"], "alice@localhost/tea")
            self.assertEqual(str(message.body), "hi")

    def test_offline(self) -> None:
        """What is said to someone away waits, at most 100 messages, marked as delayed."""
        said = [
            self.alice.say(f"<message to='bob@localhost' type='chat'><body>{i}</body></message>")
            for i in range(101)
        ]
        self.assertEqual(condition(parsed(said[100])[0]), "service-unavailable")
        wire = Wire(self.server)
        wire.say(HEADER)
        wire.scram("bob", "builder")
        wire.say(HEADER)
        wire.say(BIND % "")
        messages = [item for item in wire.ask("<presence/>") if item.name == "message"]
        self.assertEqual([str(message.body) for message in messages], list(map(str, range(100))))
        self.assertEqual(messages[0].delay["from"], "localhost")
        self.assertEqual(messages[0].delay["stamp"], "1970-01-01T00:00:00Z")

    def test_iq_between_sessions(self) -> None:
        """A request and its result travel between full JIDs; no such session is an error."""
        bob = self.enter("bob", "1")
        self.alice.say("<iq type='get' id='q' to='bob@localhost/1'><x xmlns='y'/></iq>")
        self.assertEqual(bob.heard()[0]["from"], "alice@localhost/tea")
        bob.say("<iq type='result' id='q' to='alice@localhost/tea'/>")
        self.assertEqual(self.alice.heard()[0]["type"], "result")
        [error] = self.alice.ask("<iq type='get' id='q' to='bob@localhost/2'><x xmlns='y'/></iq>")
        self.assertEqual(condition(error), "service-unavailable")

    def test_own_services(self) -> None:
        """The server answers pings, the roster and disco, and refuses what it does not know."""
        for to in ("", "to='localhost'", "to='alice@localhost'"):
            [pong] = self.alice.ask(
                f"<iq type='get' id='p' {to}><ping xmlns='urn:xmpp:ping'/></iq>"
            )
            self.assertEqual(pong["type"], "result")
        [roster] = self.alice.ask("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
        self.assertEqual(list(roster.query.elements()), [])
        [items] = self.alice.ask(
            "<iq type='get' id='i' to='localhost'>"
            "<query xmlns='http://jabber.org/protocol/disco#items'/></iq>"
        )
        self.assertEqual(items.query.item["jid"], "conference.localhost")
        [info] = self.alice.ask(
            "<iq type='get' id='i' to='localhost'>"
            "<query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        )
        self.assertEqual(info.query.identity["category"], "server")
        [error] = self.alice.ask("<iq type='get' id='v'><vCard xmlns='vcard-temp'/></iq>")
        self.assertEqual(condition(error), "service-unavailable")

    def test_malformed(self) -> None:
        """Stanzas that are wrong are answered with an error; the stream stays up."""
        cases = {
            "<message to='@@'><body>x</body></message>": "jid-malformed",
            f"<message to='{'x' * 5000}'/>": "jid-malformed",
            "<message to='a@example.org'/>": "remote-server-not-found",
            "<iq type='get' id='1'/>": "bad-request",
            "<iq type='gett' id='1'><x xmlns='y'/></iq>": "bad-request",
            "<message to='nobody@localhost'/>": "service-unavailable",
        }
        for text, expected in cases.items():
            self.assertEqual([condition(item) for item in self.alice.ask(text)], [expected])
        self.assertEqual(self.alice.say("<iq type='result' to='@' id='2'/>"), "")

    def test_output_is_well_formed(self) -> None:
        """Namespaces and attributes of a client's choosing come out as they went in."""
        uri = "a'/&gt;&lt;message&gt;&quot;x"
        bob = self.enter("bob", "1")
        self.alice.say(
            f'<message to="bob@localhost/1"><x xmlns="{uri}" xmlns:p="{uri}" p:k="v"/></message>'
        )
        [message] = bob.heard()
        evil = message.firstChildElement()
        self.assertEqual(evil.uri, "a'/><message>\"x")
        self.assertEqual(evil.attributes, {(evil.uri, "k"): "v"})

    def test_what_cannot_be_written(self) -> None:
        """A stanza that is nested too deeply to be written is refused, and nothing is relayed."""
        bob = self.enter("bob", "1")
        depth = "<d>" * 5000 + "</d>" * 5000
        [error] = self.alice.ask(f"<message to='bob@localhost/1'>{depth}</message>")
        self.assertEqual(condition(error), "not-acceptable")
        self.assertEqual(bob.heard(), [])

    def test_own_failure(self) -> None:
        """An exception while a stanza is handled is logged and answered; the stream stays up."""

        def fail(session: object, stanza: object) -> None:
            raise RuntimeError("ours")

        self.server.on_stanza = fail
        [error] = self.alice.ask("<message to='bob@localhost'/>")
        self.assertEqual(condition(error), "internal-server-error")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_on_stanza(self) -> None:
        """The hook sees each stanza, and can keep the server silent about it."""
        seen: list[str] = []

        def swallow(session: Any, stanza: Any) -> bool:
            seen.append(f"{session.jid} {stanza.name}")
            return True

        self.server.on_stanza = swallow
        ping = "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"
        self.assertEqual(self.alice.say(ping), "")
        self.assertEqual(seen, ["alice@localhost/tea iq"])

    def test_size_limit(self) -> None:
        """A stanza beyond the limit ends the stream."""
        said = self.alice.say(f"<message to='bob@localhost' x='{'y' * MAX_STANZA}'>")
        self.assertIn("stream:error", said)

    def test_reader_that_stopped(self) -> None:
        """A client that reads nothing any more is cut off, not remembered for ever."""
        session = self.server.sessions["alice@localhost/tea"]
        session.stream.pauseProducing()
        session.stream.send("x" * MAX_UNREAD)
        self.assertFalse(self.alice.transport.aborted)
        session.stream.send("x")
        self.assertTrue(self.alice.transport.aborted)
        self.assertEqual(self.server.sessions, {})

    def test_close(self) -> None:
        """The client's end of stream is answered, and its session is gone at once."""
        self.assertEqual(self.alice.say("</stream:stream>"), "</stream:stream>")
        self.assertTrue(self.alice.transport.disconnecting)
        self.assertEqual(self.server.sessions, {})

    def test_garbage(self) -> None:
        """What is no XML, or no stanza, ends the stream with an error."""
        self.assertIn("unsupported-stanza-type", self.alice.say("<x xmlns='y'/>"))
        self.assertIn("not-well-formed", self.enter("bob").say("<a></b>"))


class ListeningTests(TestCase):
    """Where the server listens, and how it stops."""

    def test_loopback_only(self) -> None:
        """It listens on no address that another machine can reach."""
        memory = MemoryReactorClock()
        server = EmbeddedServer(memory, ACCOUNTS)
        for host in ("0.0.0.0", "", "::", "192.0.2.1", "example.org", "127.0.0.1.example"):
            failure = self.failureResultOf(server.listen(host=host), ValueError)
            self.assertIn("loopback", failure.getErrorMessage())
        self.assertEqual(memory.tcpServers, [])
        self.successResultOf(server.listen(5222, "localhost"))
        self.assertEqual(memory.tcpServers[0][3], "127.0.0.1")

    def test_stop(self) -> None:
        """Stopping ends all streams, waits no longer than the grace, and leaves no timer."""
        clock = Clock()
        server = EmbeddedServer(clock, ACCOUNTS, starttls=False)
        alice = Wire(server).log_in("alice")
        stopped = server.stop()
        self.assertIn("system-shutdown", alice.said())
        self.assertIsNone(server.factory.buildProtocol(None))
        self.assertNoResult(stopped)
        clock.advance(CLOSE_GRACE)
        self.assertTrue(alice.transport.aborted)
        clock.advance(CLOSE_GRACE)
        self.successResultOf(stopped)
        self.assertEqual(clock.getDelayedCalls(), [])
        self.successResultOf(server.stop())


class RealConnectionTests(TestCase):
    """Twisted's own XMPP client, over TCP and TLS."""

    timeout = 10

    async def test_login_over_tls(self) -> None:
        """A client that checks the certificate and offers ALPN logs in, is answered, and leaves."""
        server = EmbeddedServer(reactor, ACCOUNTS)
        self.addCleanup(server.stop)
        port = await server.listen()
        alice = await self.connect(server, port)
        self.assertEqual(alice.transport.protocol.negotiatedProtocol, b"xmpp-client")
        self.assertIn("alice@localhost/real", server.sessions)
        heard: defer.Deferred[Any] = defer.Deferred()
        alice.addOnetimeObserver("/message", heard.callback)
        alice.send("<message to='alice@localhost/real'><body>me</body></message>")
        self.assertEqual(str((await heard).body), "me")

    async def test_dropped(self) -> None:
        """A client that is cut off logs in again, to a new session."""
        server = EmbeddedServer(reactor, ACCOUNTS)
        self.addCleanup(server.stop)
        port = await server.listen()
        alice = await self.connect(server, port)
        gone: defer.Deferred[Any] = defer.Deferred()
        alice.addObserver(xmlstream.STREAM_END_EVENT, lambda _: gone.callback(None))
        for session in list(server.sessions.values()):
            session.stream.abort()
        await gone
        self.assertEqual(server.sessions, {})
        await self.connect(server, port)
        self.assertIn("alice@localhost/real", server.sessions)

    async def test_listens_again(self) -> None:
        """A server that was stopped can listen on its port again."""
        server = EmbeddedServer(reactor, ACCOUNTS)
        self.addCleanup(server.stop)
        port = await server.listen()
        await self.connect(server, port)
        await server.stop()
        self.assertEqual(await server.listen(port), port)

    async def connect(self, server: EmbeddedServer, port: int) -> Any:
        path = self.mktemp()
        server.write_ca(path)
        with open(path, "rb") as file:
            root = ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(file.read())])
        os.remove(path)
        options = ssl.optionsForClientTLS(
            "localhost", trustRoot=root, acceptableProtocols=[b"xmpp-client"]
        )
        authenticator = client.XMPPAuthenticator(
            JID("alice@localhost/real"), "wonder", configurationForTLS=options
        )
        stream = xmlstream.XmlStream(authenticator)
        ready: defer.Deferred[Any] = defer.Deferred()
        stream.addOnetimeObserver(xmlstream.STREAM_AUTHD_EVENT, ready.callback)
        stream.addOnetimeObserver(xmlstream.INIT_FAILED_EVENT, ready.errback)
        endpoint = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        await endpoints.connectProtocol(endpoint, stream)
        await ready
        return stream
