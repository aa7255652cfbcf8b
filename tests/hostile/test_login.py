"""Catalogue rows A (authentication): a hostile or impersonated server at the login."""

from base64 import b64encode
from pathlib import Path

from tests.chat.xmpp.harness import BIND, JID, features, mechanisms, sasl
from tests.chat.xmpp.security.test_sasl import ScramServer
from tests.hostile.bot import HostileCase
from xbot.chat.xmpp.security.downgrade import DowngradeProtection
from xbot.chat.xmpp.security.mechanisms import Choice, Offer, choose
from xbot.chat.xmpp.security.scram import MAX_ITERATIONS
from xbot.chat.xmpp.stream.connection import State
from xbot.chat.xmpp.wire.errors import ProtocolViolation

IQ_AUTH = "<auth xmlns='http://jabber.org/features/iq-auth'/>"


class LoginTests(HostileCase):
    def offered(self, content, **more):
        """A bot over TLS that was offered this."""
        bot = self.bot(**more)
        peer = bot.accept()
        peer.start_tls()
        peer.sent()
        peer.feed(features(content))
        return bot, peer

    def scram(self):
        """A bot that began SCRAM-SHA-1, and the server's side of it."""
        bot, peer = self.offered(mechanisms("SCRAM-SHA-1"))
        return bot, peer, ScramServer(peer, "sha1")

    def rejected(self, say, reason):
        bot, peer, server = self.scram()
        say(server)
        self.assertNotIn("<response", bot.taps[-1].text(encrypted=True))
        self.closes(bot, peer, reason)

    def challenged(self, data, reason):
        self.rejected(lambda server: server.peer.feed(sasl("challenge", data)), reason)

    def test_A01(self):
        """PLAIN without TLS tells nothing."""
        bot = self.bot()
        peer = bot.accept()
        peer.feed(features(mechanisms("PLAIN")))
        self.closes(bot, peer, "no STARTTLS", credentials=False)

    def test_A02(self):
        """Who once logged in by SCRAM gives no password away to a server that knows PLAIN only."""
        remembered = DowngradeProtection(Path(self.mktemp()))
        remembered.got_login(JID, Choice("SCRAM-SHA-256"))
        bot, peer = self.offered(mechanisms("PLAIN"), remembered=remembered)
        self.closes(bot, peer, "sasl = ...", credentials=False)
        # Nor to one that we know nothing of any more, because the file is broken.
        path = Path(self.mktemp())
        path.write_text("{")
        for content in mechanisms("PLAIN"), mechanisms("SCRAM-SHA-1"):
            bot, peer = self.offered(content, remembered=DowngradeProtection(path))
            self.closes(bot, peer, "sasl = ...", credentials=False)
        # Where the ini says so, it is the operator's word.
        bot, peer = self.offered(mechanisms("PLAIN"), remembered=remembered, mechanisms=("PLAIN",))
        self.assertIn("<auth", peer.sent())

    def test_A03(self):
        """A server that does not prove that it knows the password is not ours."""
        for verifier in "", "e=other-error", "v=AAAA":
            bot, peer, server = self.scram()
            server.challenge()
            peer.feed(sasl("success", b64encode(verifier.encode()).decode()))
            self.closes(bot, peer, "signature")
        self.rejected(lambda server: server.peer.feed(sasl("success")), "success before any proof")

    def test_A04(self):
        """A nonce of the server's own alone could be yesterday's."""

        def say(server):
            server.server_nonce = "somebody-else's" + server.nonce
            server.challenge()

        self.rejected(say, "nonce")

    def test_A05(self):
        """An iteration count that makes the password cheap, or our processor busy, is refused."""
        for count in 1, MAX_ITERATIONS + 1:
            self.rejected(lambda server, count=count: server.challenge(count), "iterations")

    def test_A06(self):
        """A challenge is short, and there is one."""
        self.challenged("A" * 512 * 1024, "too long")
        self.challenged("A" * (1024 * 1024 + 1), "too many bytes")
        bot, peer, server = self.scram()
        server.challenge()
        peer.sent()
        server.challenge()
        self.closes(bot, peer, "signature")

    def test_A07(self):
        """What is no base64 is no challenge."""
        for data in "%%%", "AAA", "\u00e9":
            self.challenged(data, "base64")

    def refused(self, condition):
        """The server refuses the login once more."""
        bot = self.bots[-1]
        peer = bot.await_try()
        peer.start_tls()
        peer.feed(features(mechanisms("SCRAM-SHA-1")))
        ScramServer(peer, "sha1")
        peer.feed(sasl("failure", f"<{condition}/>"))
        peer.lose()
        return bot

    def test_A08(self):
        """After the third refusal only a person can help."""
        self.bot()
        for _ in range(3):
            self.assertEqual(self.bots[-1].gave_up, [])
            bot = self.refused("not-authorized")
        self.exits(bot)
        # An account that has logged in before is tried again, rarely, and never left.
        remembered = DowngradeProtection(Path(self.mktemp()))
        remembered.got_login(JID, Choice("SCRAM-SHA-1"))
        bot, peer = self.offered(mechanisms("SCRAM-SHA-1"), remembered=remembered)
        peer.lose()
        for _ in range(5):
            bot = self.refused("not-authorized")
        self.assertEqual(bot.gave_up, [])
        self.assertGreaterEqual(bot.adapter.connection.status.next_try - bot.clock.seconds(), 600)

    def test_A09(self):
        """A server whose user base is away for now is asked again, ever later, and never left."""
        self.bot()
        waits = []
        for _ in range(10):
            bot = self.refused("temporary-auth-failure")
            self.assertIs(bot.state, State.WAITING)
            waits.append(bot.adapter.connection.status.next_try - bot.clock.seconds())
        self.assertEqual(bot.gave_up, [])
        self.assertEqual(waits, sorted(waits))
        self.assertGreater(waits[-1], 100)
        self.outcomes.add("C")

    def test_A10(self):
        """A session under another name is not ours."""
        for jid in "<jid>root@example.org/x</jid>", "<jid>xbot@example.com/x</jid>", "":
            bot = self.bot()
            peer = bot.accept()
            peer.authenticate()
            peer.feed(features(BIND))
            identity = peer.asked()
            peer.feed(
                f"<iq type='result' id='{identity}'>"
                f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{jid}</bind></iq>"
            )
            self.closes(bot, peer, "bound")

    def test_A11(self):
        """The login of before XMPP 1.0 is not spoken."""
        bot, peer = self.offered(IQ_AUTH)
        self.closes(bot, peer, "no SASL login", credentials=False)

    def test_A12(self):
        """DIGEST-MD5 is not spoken."""
        bot, peer = self.offered(mechanisms("DIGEST-MD5"))
        self.closes(bot, peer, "no login that xbot may use", credentials=False)

    def test_A13(self):
        """Who took -PLUS out of the offer, or its types, does not get to see our proof."""
        bindings = {"tls-exporter": b"x"}
        everything = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"}
        for names, types in (
            ({"SCRAM-SHA-256", "PLAIN"}, {"tls-exporter"}),
            (everything, {"made-up"}),
        ):
            with self.assertRaises(ProtocolViolation):
                choose(Offer(frozenset(names), frozenset(types)), everything, bindings)
        # Taken out altogether: who was bound before is not talked into less.
        remembered = DowngradeProtection(Path(self.mktemp()))
        remembered.got_login(
            JID, Choice("SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "tls-exporter", b"x")
        )
        bot, peer = self.offered(mechanisms("SCRAM-SHA-256"), remembered=remembered)
        self.closes(bot, peer, "sasl = ...", credentials=False)
        # Never bound before: the server is told what we saw, and can tell (RFC 5802, section 6).
        choice = choose(Offer(frozenset({"SCRAM-SHA-256"})), everything, bindings)
        self.assertEqual(choice.gs2_header, "y,,")
