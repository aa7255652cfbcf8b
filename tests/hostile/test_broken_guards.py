"""What a guard does when it breaks: it says no.

Each is made to raise, and then what it guards must not happen, whoever asks for it.
"""

import contextlib
import hashlib
import hmac
from pathlib import Path

from twisted.trial import unittest

from tests.chat.xmpp.harness import BIND, JID, features, mechanisms, sasl
from tests.chat.xmpp.security.test_sasl import ScramServer
from tests.hostile.bot import Bot, said, told
from tests.web.test_server import ServerCase
from tests.webhooks.test_door import GITHUB, DoorCase
from xbot.chat.xmpp import messages, roster, subscriptions
from xbot.chat.xmpp.rooms import invitations
from xbot.chat.xmpp.security import downgrade, scram
from xbot.chat.xmpp.security import mechanisms as choosing
from xbot.chat.xmpp.security import sasl as exchange
from xbot.chat.xmpp.security.downgrade import DowngradeProtection
from xbot.chat.xmpp.stanzas import message
from xbot.chat.xmpp.stream import iq, login
from xbot.chat.xmpp.wire import ns
from xbot.config import credentials, load
from xbot.config.settings import XmppSettings
from xbot.engine.dispatch import dispatcher, duplicates, gates, journal_gate
from xbot.engine.dispatch.limits import Limits
from xbot.model import access
from xbot.model.people import People
from xbot.process import file_trust
from xbot.testing.journal import MemoryJournal
from xbot.web.posting import PostRequest
from xbot.web.server import HttpServer
from xbot.webhooks import door, proof


class Broken(Exception):
    """In a guard."""


class BrokenCase(unittest.TestCase):
    def tearDown(self):
        self.flushLoggedErrors(Broken)

    @contextlib.contextmanager
    def broken(self, where, name):
        """``where.name`` raises, and is asked."""
        asked = []

        def fail(*arguments, **more):
            asked.append(arguments)
            raise Broken

        patch = self.patch(where, name, fail)
        yield
        patch.restore()
        self.assertTrue(asked, f"nobody asks {name}")


class CommandTests(BrokenCase):
    def test_commands(self):
        """What has effects does not run where anything breaks that is asked before."""
        for where, name in (
            (dispatcher, "reason_to_drop"),
            (gates, "may_have_effects"),
            (dispatcher, "may_answer"),
            (access, "identity_of"),
            (access.Access, "allows"),
            (access.Access, "is_here"),
            (People, "includes"),
            (duplicates.RecentKeys, "add"),
            (Limits, "over"),
            (Limits, "exceeded_for"),
            (journal_gate.JournalGate, "begin"),
            (MemoryJournal, "accept"),
            (messages, "read_message"),
            (message, "read_address"),
            (message, "_body"),
        ):
            bot = Bot(is_limited=True)
            peer = bot.online()
            with self.broken(where, name):
                peer.feed(
                    "<message type='chat' id='1' from='alice@example.org/x'><body>deploy</body>"
                    "<x xmlns='urn:x'/></message>"
                )
                if where not in (messages, message):
                    # The fast path on bytes does not call those.
                    peer.feed(said("bot: deploy").replace("<message", "<message id='2'"))
            self.assertEqual(bot.runs, [], name)
            # Nobody else is the worse for it.
            peer.feed(told("deploy 2"))
            self.assertEqual(bot.runs, ["deploy 2"], name)

    def test_invitations(self):
        """No room is entered where anything breaks that is asked about who invites."""
        for where, name in (
            (invitations, "read_invitation"),
            (invitations.Invitations, "_is_welcome"),
            (invitations.Invitations, "_reason_against"),
            (messages, "is_delayed"),
        ):
            settings = XmppSettings(JID, accept_invites=People.parse(["alice@example.org"]))
            bot = Bot(settings=settings)
            peer = bot.online()
            with self.broken(where, name):
                peer.feed(
                    "<message from='alice@example.org/x'>"
                    f"<x xmlns='{ns.CONFERENCE}' jid='two@muc.example.net'/></message>"
                )
            self.assertEqual(len(list(bot.adapter.rooms)), 1, name)

    def test_contacts(self):
        """Nobody is let in on our presence, nor into the roster, by what breaks."""
        settings = XmppSettings(JID, subscriptions="accept")
        for where, name in (
            (subscriptions.Subscriptions, "_answer_to"),
            (iq.Iq, "is_from_account"),
            (roster, "node_of"),
        ):
            bot = Bot(settings=settings)
            peer = bot.online()
            contacts = bot.adapter.subscriptions._contacts
            self.assertEqual(contacts(), {})
            with self.broken(where, name):
                if where is subscriptions.Subscriptions:
                    peer.feed("<presence type='subscribe' from='mallory@example.net'/>")
                peer.feed(
                    f"<iq type='set' id='1' from='{JID.bare}'><query xmlns='{ns.ROSTER}'>"
                    "<item jid='mallory@example.net' subscription='both'/></query></iq>"
                )
            self.assertNotIn("subscribed", peer.sent(), name)
            if where is not subscriptions.Subscriptions:
                self.assertEqual(contacts(), {}, name)


class LoginTests(BrokenCase):
    def begin(self, *offered):
        path = Path(self.mktemp()) / "login.json"
        bot = Bot(remembered=DowngradeProtection(path))
        peer = bot.accept()
        peer.start_tls()
        peer.sent()
        peer.feed(features(mechanisms(*offered)))
        return bot, peer

    def test_before_a_credential(self):
        """Nothing of the account is said where anything breaks that is asked before."""
        for where, name in (
            (login, "check_peer"),
            (login, "tls_connection"),
            (login, "available_bindings"),
            (login, "allowed_mechanisms"),
            (login, "read_offer"),
            (login, "choose"),
            (choosing, "_check_contradictions"),
            (downgrade.DowngradeProtection, "check"),
            (downgrade, "read_file"),
        ):
            if name == "_check_contradictions":
                # It is asked where there is something to bind.
                self.patch(login, "available_bindings", lambda connection: {"tls-exporter": b"x"})
            if name == "read_file":
                self.patch(Path, "lstat", lambda path: None)
            with self.broken(where, name):
                bot, peer = self.begin("SCRAM-SHA-1", "PLAIN")
            written = bot.taps[-1].text(encrypted=True)
            self.assertNotIn("<auth", written, name)
            self.assertTrue(peer.transport.disconnecting, name)
            peer.lose()

    def test_the_servers_proof(self):
        """A server is not believed where the check of what it proves breaks."""
        for where, name in (
            (scram.ScramClient, "check_success"),
            (scram.hmac, "compare_digest"),
            (exchange, "_data"),
        ):
            bot, peer = self.begin("SCRAM-SHA-1")
            server = ScramServer(peer, "sha1")
            if name != "_data":
                server.challenge()
            with self.broken(where, name):
                if name == "_data":
                    server.challenge()
                else:
                    server.succeed()
            peer.feed(features(BIND))
            self.assertNotIn("<bind", bot.taps[-1].text(encrypted=True), name)
            self.assertTrue(peer.transport.disconnecting, name)

    def test_whose_jid(self):
        """Nobody is logged in where the check of the JID that the server bound breaks."""
        _, peer = self.begin("PLAIN")
        peer.feed(sasl("success"))
        peer.sent()
        peer.feed(features(BIND))
        with self.broken(login.Jid, "parse"):
            peer.bind(str(JID))
        self.assertTrue(peer.stream.negotiating)
        self.assertTrue(peer.transport.disconnecting)


class PostTests(BrokenCase, DoorCase):
    def test_proof(self):
        """What is posted is not said where the check of its signature breaks."""
        body = b'{"zen": "x"}'
        digest = hmac.new(b"hunter2", body, hashlib.sha256).hexdigest()
        for where, name in ((door, "prove"), (proof.hmac, "compare_digest")):
            with self.broken(where, name):
                headers = {"content-type": "application/json", "x-hub-signature-256": digest}
                posted = PostRequest(GITHUB.path, headers, body)
                self.failureResultOf(self.door.post(posted), Broken)
        self.assertEqual(self.spool.kept, [])


class PageTests(BrokenCase, ServerCase):
    def test_host(self):
        """No page is shown where the check of the name that was asked for breaks."""
        with self.broken(HttpServer, "_is_own_host"):
            answer = self.get()
        self.assertIn("500", repr(answer))
        self.assertNotIn("200 OK", repr(answer))


class FileTests(BrokenCase):
    def test_password(self):
        """No password is read where the check of who else can read it breaks."""
        path = Path(self.mktemp())
        path.write_text("pencil\n")
        path.chmod(0o600)
        with self.broken(credentials, "exposure"), self.assertRaises(Broken):
            credentials.read_password(path, {}, path.stat().st_uid)

    def test_trust(self):
        """No ini is obeyed where the check of who else can change it breaks."""
        path = Path(self.mktemp())
        path.write_text("[xmpp]\nserver = embedded\n")
        path.chmod(0o600)
        load(path)
        with self.broken(file_trust, "distrust"), self.assertRaises(Broken):
            load(path)
