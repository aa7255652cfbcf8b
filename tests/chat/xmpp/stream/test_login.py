"""The login, against a scripted server."""

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.trial import unittest
from twisted.words.protocols.jabber.xmlstream import STREAM_AUTHD_EVENT

from tests.chat.xmpp.harness import (
    BIND,
    END,
    HEADER,
    JID,
    PASSWORD,
    PROCEED,
    STARTTLS,
    TLS_OPTIONS,
    MemoryConnection,
    Peer,
    features,
    make_factory,
    mechanisms,
    sasl,
)
from tests.chat.xmpp.security.test_sasl import ScramServer
from xbot.chat.xmpp.stream.login import NEGOTIATION_TIMEOUT, Account, Login
from xbot.chat.xmpp.stream.stream import MAX_EARLY
from xbot.chat.xmpp.wire.errors import (
    ConnectionProblem,
    LoginRefused,
    NegotiationTimeout,
    ProtocolViolation,
    StreamError,
)
from xbot.config.settings import Secret
from xbot.model.jid import Jid

SESSION = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>"
OPTIONAL = SESSION.replace("/>", "><optional/></session>")
PLAIN = features(mechanisms("PLAIN"))


def authenticated(peer):
    peer.authenticate()


def offered_bind(peer, more=""):
    peer.authenticate()
    peer.feed(features(BIND + more))


def offered_session(peer):
    offered_bind(peer, SESSION)
    peer.bind("xbot@example.org/bot")


def challenged(peer):
    peer.start_tls()
    peer.feed(features(mechanisms("SCRAM-SHA-1")))
    ScramServer(peer, "sha1").challenge()


#: Each state in which we wait for the server, by how to get there.
STATES = {
    "connected": lambda peer: None,
    "header": lambda peer: peer.feed(HEADER),
    "starttls asked": lambda peer: peer.feed(features(STARTTLS)),
    "TLS": lambda peer: peer.start_tls(),
    "header over TLS": lambda peer: (peer.start_tls(), peer.feed(HEADER)),
    "PLAIN sent": lambda peer: (peer.start_tls(), peer.feed(PLAIN)),
    "SCRAM proof sent": challenged,
    "authenticated": authenticated,
    "header again": lambda peer: (peer.authenticate(), peer.feed(HEADER)),
    "bind asked": offered_bind,
    "session asked": offered_session,
}


class Watched(Peer):
    """A peer that records the events dispatched on our side."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.heard, self.sessions = [], []
        self.stream.addObserver("/*", self.heard.append)
        self.stream.addObserver(STREAM_AUTHD_EVENT, self.sessions.append)


class HappyTests(unittest.TestCase):
    def test_log_in(self):
        """A whole login ends with the JID that the server bound, and no problem."""
        peer = Watched()
        peer.log_in("xbot@example.org/other")
        self.assertIsNone(peer.stream.problem)
        self.assertFalse(peer.stream.negotiating)
        self.assertEqual(str(peer.stream.authenticator.jid), "xbot@example.org/other")
        self.assertIs(peer.transport.tls, TLS_OPTIONS)
        self.assertEqual(peer.sessions, [peer.stream])
        self.assertEqual(peer.heard, [])
        self.assertEqual(peer.clock.getDelayedCalls(), [])

    def test_every_byte(self):
        """What we write is this, in this order; the account's name waits for TLS."""
        peer = Peer()
        header = (
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client'"
            " xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>"
        )
        self.assertEqual(peer.sent(), header)
        peer.feed(features(STARTTLS))
        self.assertEqual(peer.sent(), "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        peer.feed(PROCEED)
        self.assertEqual(peer.sent(), header)
        peer.feed(PLAIN)
        self.assertEqual(
            peer.sent(),
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
            "AHhib3QAcGVuY2ls</auth>",
        )
        peer.feed(sasl("success"))
        self.assertEqual(peer.sent(), header)
        peer.feed(features(BIND))
        self.assertRegex(
            peer.sent(),
            r"^<iq type='set' id='[\w-]{12}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            r"<resource>bot</resource></bind></iq>$",
        )

    def test_scram(self):
        """The best mechanism offered is taken, and both sides prove themselves."""
        for name, offered in {
            "sha256": ("PLAIN", "SCRAM-SHA-1", "DIGEST-MD5", "SCRAM-SHA-256"),
            "sha1": ("SCRAM-SHA-1", "PLAIN", "SCRAM-SHA-1-PLUS"),
        }.items():
            peer = Peer()
            peer.start_tls()
            peer.feed(features(mechanisms(*offered)))
            server = ScramServer(peer, name)
            server.challenge()
            server.succeed()
            peer.sent()
            peer.feed(features(BIND))
            peer.bind("xbot@example.org/bot")
            self.assertEqual(peer.stream.authenticator.jid, JID)
            self.assertNotIn(PASSWORD, repr(server.heard))

    def test_session_only_where_it_is_required(self):
        """RFC 3921's session is asked for where a server insists, and nowhere else."""
        for more, asked in (("", False), (OPTIONAL, False), (SESSION, True)):
            peer = Watched()
            offered_bind(peer, more)
            peer.bind("xbot@example.org/bot")
            self.assertEqual(bool(peer.sessions), not asked)
            if asked:
                sent = peer.transport.value().decode()
                self.assertIn("<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>", sent)
                peer.feed(f"<iq type='result' id='{peer.asked()}'/>")
                self.assertEqual(peer.sessions, [peer.stream])

    def test_stanzas_behind_the_bind_result(self):
        """What the server sends right behind the bind result is heard: nothing is lost."""
        peer = Watched()
        offered_bind(peer)
        peer.feed(
            f"<iq type='result' id='{peer.asked()}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            "<jid>xbot@example.org/bot</jid></bind></iq><message/>"
        )
        self.assertEqual([stanza.name for stanza in peer.heard], ["message"])

    def test_domain_in_capitals(self):
        """A header that names our domain in capitals, or none, is from our server."""
        for written in "from='EXAMPLE.org'", "":
            peer = Peer()
            peer.feed(features(STARTTLS).replace("from='example.org'", written))
            self.assertIsNone(peer.stream.problem)


class RefusedTests(unittest.TestCase):
    def assert_ended(self, peer, kind, text, what=None):
        self.assertIsInstance(peer.stream.problem, kind, what)
        self.assertIn(text, str(peer.stream.problem), what)
        self.assertNotIn(PASSWORD, str(peer.stream.problem), what)
        self.assertTrue(peer.transport.disconnecting, what)
        self.assertIsNone(peer.stream.authenticator.jid, what)
        peer.lose()
        self.assertEqual(peer.clock.getDelayedCalls(), [], what)

    def test_before_tls(self):
        """Without TLS no credential leaves, whatever else is offered."""
        table = {
            "no STARTTLS": (features(mechanisms("PLAIN")), "offers no STARTTLS"),
            "nothing": (features(""), "offers no STARTTLS"),
            "iq-auth": (
                features("<auth xmlns='http://jabber.org/features/iq-auth'/>"),
                "offers no STARTTLS",
            ),
            "foreign starttls": (features("<starttls xmlns='urn:x'/>"), "offers no STARTTLS"),
            "version 0.9": (HEADER.replace("version='1.0'>", "version='0.9'>"), "no XMPP 1.0"),
            "no version": (HEADER.replace(" version='1.0'>", ">"), "no XMPP 1.0"),
            "another domain": (
                HEADER.replace("from='example.org'", "from='attacker.example'"),
                "another domain",
            ),
            "a server's stream": (HEADER.replace("jabber:client", "jabber:server"), "for clients"),
            "no stream": ("<html>", "no XMPP server"),
            "root of another namespace": (
                HEADER.replace("http://etherx.jabber.org/streams", "urn:x"),
                "no XMPP server",
            ),
            "no features": (HEADER + "<message/>", "no stream features"),
            "features of another namespace": (HEADER + "<features/>", "no stream features"),
            "TLS refused": (
                features(STARTTLS) + "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
                "refuses to start TLS",
            ),
            "HTTP": ("HTTP/1.1 400 Bad Request\r\n\r\n", "not well-formed"),
            "a dropped namespace": (HEADER + "<x xmlns='a b'/><x/>", "cannot be read"),
        }
        for what, (text, reason) in table.items():
            peer = Watched()
            peer.feed(text)
            sent = peer.sent()
            self.assert_ended(peer, ProtocolViolation, reason, what)
            for secret in "xbot", "AHhib3Q", PASSWORD, "<auth":
                self.assertNotIn(secret, sent, what)
            self.assertEqual(peer.heard, [], what)

    def test_injection_before_tls(self):
        """What stands behind <proceed/> in the clear ends the stream and reaches nobody."""
        for injected in (
            "<message from='example.org'><body>x</body></message>",
            "<iq type='set'/>",
            "x",
            features(mechanisms("PLAIN")).split("?>")[1],
        ):
            peer = Watched()
            peer.feed(features(STARTTLS))
            peer.feed(PROCEED + injected)
            self.assertEqual(peer.heard, [])
            self.assert_ended(peer, ProtocolViolation, "the server sent ", injected)

    def test_half_an_injection_before_tls(self):
        """The beginning of a tag behind <proceed/> is forgotten when TLS begins."""
        peer = Watched()
        peer.feed(features(STARTTLS))
        peer.feed(PROCEED + "<mess")
        peer.feed(PLAIN)
        self.assertIsNone(peer.stream.problem)
        self.assertIn("<auth", peer.sent())

    def test_stanzas_behind_success(self):
        """What stands behind <success/> in the old stream ends it as well."""
        peer = Watched()
        peer.start_tls()
        peer.feed(PLAIN)
        peer.feed(sasl("success") + "<message/>")
        self.assertEqual(peer.heard, [])
        self.assert_ended(peer, ProtocolViolation, "")

    def test_mechanisms(self):
        """A server that offers no mechanism of ours, or none at all, gets no credential."""
        table = {
            "DIGEST-MD5": (mechanisms("DIGEST-MD5", "ANONYMOUS"), "DIGEST-MD5"),
            "none named": (mechanisms(), "offers no login"),
            "none": ("", "offers no SASL login"),
            "iq-auth": ("<auth xmlns='http://jabber.org/features/iq-auth'/>", "no SASL login"),
        }
        for what, (content, reason) in table.items():
            peer = Peer()
            peer.start_tls()
            peer.sent()
            peer.feed(features(content))
            self.assertEqual(peer.sent(), END, what)
            self.assert_ended(peer, ProtocolViolation, reason, what)

    def test_another_domain_over_tls(self):
        """The header is checked on each stream, not on the first alone."""
        peer = Peer()
        peer.start_tls()
        peer.sent()
        peer.feed(PLAIN.replace("from='example.org'", "from='attacker.example'"))
        self.assertNotIn("<auth", peer.sent())
        self.assert_ended(peer, ProtocolViolation, "another domain")

    def test_out_of_turn(self):
        """A stanza during the login is taken by nobody and ends it."""
        for what, reach in STATES.items():
            if what in ("connected", "TLS", "authenticated", "session asked"):
                continue  # where the stream header is due, or we have an address already
            peer = Watched()
            reach(peer)
            peer.feed("<message from='a@example.org'><body>x</body></message>")
            self.assertEqual(peer.heard, [], what)
            self.assert_ended(peer, ProtocolViolation, "", what)

    def test_early_stanzas(self):
        """What others write once we have an address waits for the end of the login, in order."""
        peer = Watched()
        offered_session(peer)
        identity = peer.asked()
        for text in "ab":
            peer.feed(f"<message from='a@example.org'><body>{text}</body></message>")
        self.assertEqual((peer.heard, peer.sessions), ([], []))
        peer.feed(f"<iq type='result' id='{identity}'/>")
        self.assertEqual([str(stanza.body) for stanza in peer.heard], ["a", "b"])
        self.assertEqual(len(peer.sessions), 1)

    def test_endless_early_stanzas(self):
        """A server that sends stanzas for ever instead of an answer is left."""
        peer = Watched()
        offered_session(peer)
        peer.feed("<presence from='a@example.org'/>" * (MAX_EARLY + 1))
        self.assert_ended(peer, ProtocolViolation, "does not answer", "")

    def test_unasked_while_we_compute(self):
        """An element that comes while nobody waits for one ends the stream."""
        computing = Deferred()
        clock = Clock()
        peer = Watched(make_factory(clock, lambda function: computing), clock)
        peer.start_tls()
        peer.feed(features(mechanisms("SCRAM-SHA-1")))
        ScramServer(peer, "sha1").challenge()
        peer.feed(sasl("success"))
        self.assertIn("out of turn", str(peer.stream.problem))
        peer.sent()
        computing.callback(b"salted")
        self.assertEqual(peer.sent(), "")
        self.assert_ended(peer, ProtocolViolation, "out of turn")

    def test_failures(self):
        """A <failure/> is told with its condition, and whether a person must help."""
        table = {
            "not-authorized": True,
            "account-disabled": True,
            "credentials-expired": True,
            "invalid-authzid": True,
            "temporary-auth-failure": False,
            "mechanism-too-weak": False,
            "encryption-required": False,
            "something-new": False,
        }
        for condition, final in table.items():
            for names in ("PLAIN",), ("SCRAM-SHA-1",):
                peer = Peer()
                peer.start_tls()
                peer.feed(features(mechanisms(*names)))
                peer.feed(sasl("failure", f"<text>no</text><{condition}/>"))
                self.assertEqual(peer.stream.problem.condition, condition)
                self.assertIs(peer.stream.problem.final, final, condition)
                self.assert_ended(peer, LoginRefused, condition)

    def test_a_long_condition(self):
        """What a server says is cut before it is told."""
        peer = Peer()
        peer.start_tls()
        peer.feed(PLAIN)
        peer.feed(sasl("failure", f"<{'x' * 10_000}/>"))
        self.assertLess(len(str(peer.stream.problem)), 200)

    def test_bind_results(self):
        """A bind result for anyone but us, or for nobody, is no login."""
        jid = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{}</jid></bind>"
        table = {
            "another account": ("result", jid.format("root@example.org/bot"), "another account"),
            "another domain": ("result", jid.format("xbot@example.com/bot"), "another account"),
            "no resource": ("result", jid.format("xbot@example.org"), "another account"),
            "no JID at all": ("result", jid.format("@/"), "is no JID"),
            "empty": ("result", jid.format(""), "is no JID"),
            "missing": ("result", "", "bound no JID"),
            "no jid": ("result", BIND, "bound no JID"),
            "error": (
                "error",
                "<error type='cancel'>"
                "<conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
                "refuses <bind/>: conflict",
            ),
            "a question": ("get", "", "refuses <bind/>"),
        }
        for what, (kind, content, reason) in table.items():
            peer = Peer()
            offered_bind(peer)
            peer.feed(f"<iq type='{kind}' id='{peer.asked()}'>{content}</iq>")
            self.assert_ended(peer, ConnectionProblem, reason, what)

    def test_bind_is_not_answered(self):
        """A server without binding, and one that answers something else, are left."""
        peer = Peer()
        peer.authenticate()
        peer.feed(features(""))
        self.assert_ended(peer, ProtocolViolation, "no resource binding")
        peer = Peer()
        offered_bind(peer)
        peer.feed("<iq type='result' id='guessed'/>")
        self.assert_ended(peer, ProtocolViolation, "something else")


class EndTests(unittest.TestCase):
    def test_silence(self):
        """Whatever state it falls silent in, after 30 s in all the server is left at once."""
        for what, reach in STATES.items():
            peer = Peer()
            peer.clock.advance(10)
            reach(peer)
            peer.clock.advance(NEGOTIATION_TIMEOUT - 10.1)
            self.assertIsNone(peer.stream.problem, what)
            peer.clock.advance(0.2)
            self.assertIsInstance(peer.stream.problem, NegotiationTimeout, what)
            self.assertTrue(peer.transport.aborted, what)
            peer.lose()
            self.assertEqual(peer.clock.getDelayedCalls(), [], what)

    def test_trickle(self):
        """A byte now and then buys no time."""
        peer = Peer()
        peer.feed(features(STARTTLS).rstrip(">"))
        for _ in range(4):
            peer.clock.advance(10)
            peer.feed(" ")
        self.assertIsInstance(peer.stream.problem, NegotiationTimeout)

    def test_lost(self):
        """A connection that is lost in any state ends the login with why, and leaves no timer."""
        for what, reach in STATES.items():
            peer = Peer()
            reach(peer)
            peer.lose(ConnectionLost())
            self.assertIn("the connection was lost", str(peer.stream.problem), what)
            self.assertEqual(peer.clock.getDelayedCalls(), [], what)

    def test_closed(self):
        """A stream that the server closes in any state is closed by us too."""
        for what, reach in STATES.items():
            peer = Peer()
            reach(peer)
            if what in ("connected", "TLS", "authenticated"):
                peer.feed(HEADER)
            peer.sent()
            peer.feed(END)
            self.assertEqual(peer.sent(), END, what)
            self.assertEqual(str(peer.stream.problem), "the server closed the stream", what)
            self.assertTrue(peer.transport.disconnecting, what)
            peer.lose()
            self.assertEqual(peer.clock.getDelayedCalls(), [], what)

    def test_stream_errors(self):
        """A stream error in any state is told with its condition."""
        error = (
            "<stream:error><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>bye</text>"
            "<x xmlns='urn:x'/>"
            "<system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
        )
        for what, reach in STATES.items():
            peer = Peer()
            reach(peer)
            if what in ("connected", "TLS", "authenticated"):
                peer.feed(HEADER)
            peer.feed(error)
            self.assertIsInstance(peer.stream.problem, StreamError, what)
            self.assertEqual(peer.stream.problem.condition, "system-shutdown", what)
            self.assertEqual(peer.stream.problem.text, "bye", what)
            peer.lose()
            self.assertEqual(peer.clock.getDelayedCalls(), [], what)


class PinTests(unittest.TestCase):
    def test_nothing_to_hold_against_the_pins(self):
        """Where pins are asked for and the connection has no key to show, no credential leaves."""
        clock = Clock()
        account = Account(JID, Secret(PASSWORD), TLS_OPTIONS, pins=frozenset({bytes(32)}))
        factory = make_factory(clock)
        factory._make_authenticator = lambda: Login(account, clock, lambda function: None)
        self.patch(MemoryConnection, "get_verified_chain", lambda connection: None)
        peer = Peer(factory, clock)
        peer.feed(features(STARTTLS))
        peer.sent()
        peer.feed(PROCEED)
        self.assertEqual(peer.sent(), "")
        self.assertTrue(peer.transport.disconnecting)
        self.assertIn("pin-sha256", str(peer.stream.problem))


class SecretTests(unittest.TestCase):
    def test_no_representation_shows_the_password(self):
        """Neither the account, nor the login, nor its stream show the password."""
        account = Account(JID, Secret(PASSWORD), TLS_OPTIONS)
        peer = Peer()
        login = Login(account, Clock(), lambda function: None)
        for thing in account, Secret(PASSWORD), login, peer.stream, vars(login), vars(peer.stream):
            self.assertNotIn(PASSWORD, repr(thing))
            self.assertNotIn(PASSWORD, str(thing))

    def test_a_password_that_cannot_be_prepared(self):
        """A password that SASLprep refuses ends the login, and is not told."""
        clock = Clock()
        factory = make_factory(clock)
        account = Account(JID, Secret("pen\u0007cil"), TLS_OPTIONS)
        factory._make_authenticator = lambda: Login(account, clock, lambda function: None)
        peer = Peer(factory, clock)
        peer.start_tls()
        peer.feed(PLAIN)
        self.assertIn("SASLprep", str(peer.stream.problem))
        self.assertNotIn("cil", str(peer.stream.problem))

    def test_account_has_a_local_part(self):
        """An account without a name cannot be made."""
        with self.assertRaises(ValueError):
            Account(Jid.parse("example.org"), Secret(PASSWORD), TLS_OPTIONS)
