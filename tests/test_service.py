"""The service, put together from the ini: who we are to the server, and where it is."""

import os
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.brain.contract import BrainReactor
from tests.journal.test_journal import InTurn
from tests.xmpp.harness import FakeEndpoint
from tests.xmpp.test_tls import Identity
from xbot import account, linking, machine
from xbot.brain.brain import FILE_NAME, Brain
from xbot.brain.errors import BrainNotOpen
from xbot.brain.file import KIND, read_content
from xbot.config import load
from xbot.durable.file import take_lock
from xbot.errors import InvalidConfig
from xbot.service import BotService
from xbot.xmpp.endpoints import DomainEndpoint
from xbot.xmpp.redirect import Redirect, RedirectableEndpoint


class ServiceCase(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.environ = {"PATH": "/usr/bin", "STATE_DIRECTORY": str(self.folder / "state")}

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        path.chmod(0o600)

    def service(self, more=""):
        self.write("xbot.ini", f"[xmpp]\njid = xbot@example.org\npassword = x\n{more}".encode())
        config = load(self.folder / "xbot.ini", self.environ)
        return BotService(config, Clock(), self.fail)


class AccountTests(ServiceCase):
    def test_plain_ini(self):
        """Without further options any mechanism will do, and the state folder keeps the best."""
        account = self.service().adapter._account
        self.assertEqual(
            (account.mechanisms, account.has_certificate, account.pins), (None, False, frozenset())
        )
        self.assertEqual(account.remembered._path, self.folder / "state" / "login.json")
        self.assertFalse((self.folder / "state").exists())

    def test_options(self):
        """What the ini allows and pins reaches the account."""
        account = self.service(f"sasl = PLAIN\npin-sha256 = {'A' * 43}=").adapter._account
        self.assertEqual((account.mechanisms, account.pins), (("PLAIN",), frozenset({bytes(32)})))

    def test_certificate(self):
        """The account's certificate and key are read when the service is made."""
        ours = Identity("xbot@example.org")
        self.write("cert", ours.pem)
        self.write("key", ours.key_pem)
        account = self.service("certificate-file = cert\nkey-file = key").adapter._account
        self.assertTrue(account.has_certificate)

    def test_bad_files(self):
        """Files that are none are the ini's mistakes, told without a word of what they hold."""
        ours, other = Identity("xbot@example.org"), Identity("xbot@example.org")
        self.write("cert", ours.pem)
        self.write("key", other.key_pem)
        self.write("secret", b"hunter2")
        for more, option, file in (
            ("certificate-file = cert\nkey-file = key", "certificate-file", "cert"),
            ("certificate-file = cert\nkey-file = secret", "certificate-file", "cert"),
            ("certificate-file = secret\nkey-file = key", "certificate-file", "secret"),
            ("ca-file = secret", "ca-file", "secret"),
        ):
            with self.assertRaises(InvalidConfig) as caught:
                self.service(more)
            [problem] = caught.exception.problems
            self.assertEqual((problem.section, problem.option), ("xmpp", option))
            line = problem.path.read_text().splitlines()[problem.line - 1]
            self.assertEqual(line, f"{option} = {file}")
            self.assertIn(f"/{file}: ", problem.reason)
            self.assertNotIn("hunter2", str(caught.exception))


class EndpointTests(ServiceCase):
    def setUp(self):
        super().setUp()
        self.tried = []
        self.patch(account, "host_endpoint", self.host_endpoint)

    def host_endpoint(self, reactor, host, port, direct_tls=None):
        tried = self.tried

        class Endpoint:
            def connect(self, factory):
                tried.append((host, port, direct_tls is not None))

        return Endpoint()

    def endpoint(self, more=""):
        return self.service(more).adapter.connection._endpoint

    def test_host(self):
        """A host is connected to at its port, by STARTTLS or by direct TLS."""
        for more, port, direct in (
            ("", 5222, False),
            ("tls = direct", 5223, True),
            ("tls = direct\nport = 443", 443, True),
        ):
            self.endpoint(f"host = 192.0.2.1\n{more}").connect(None)
            self.assertEqual(self.tried.pop(), ("192.0.2.1", port, direct))

    def test_domain(self):
        """Without a host the domain's records are looked up."""
        endpoint = self.endpoint()
        self.assertIsInstance(endpoint, RedirectableEndpoint)
        self.assertIsInstance(endpoint._home, DomainEndpoint)

    def test_redirects(self):
        """A redirect with a port, or to an address, is connected to; a name is looked up."""
        for redirect, address in (
            ("other.example:99", ("other.example", 99)),
            ("192.0.2.7:99", ("192.0.2.7", 99)),
            ("192.0.2.7", ("192.0.2.7", 5222)),
            ("[2001:db8::7]:99", ("2001:db8::7", 99)),
        ):
            endpoint = self.endpoint()
            endpoint.redirect(redirect)
            endpoint.connect(None)
            self.assertEqual(self.tried.pop(), (*address, False))
        endpoint = self.endpoint("host = 192.0.2.1")
        self.assertIsInstance(endpoint._connect_to(Redirect("other.example")), DomainEndpoint)


class BrainTests(ServiceCase):
    def setUp(self):
        super().setUp()
        self.clock = BrainReactor()
        self.reasons = []
        self.path = self.folder / "state" / FILE_NAME
        self.patch(linking, "make_endpoint", lambda *_: FakeEndpoint(self.clock))
        self.patch(machine, "Brain", lambda path, clock: Brain(path, clock, in_thread=InTurn()))

    def bot(self):
        self.write("xbot.ini", b"[xmpp]\njid = xbot@example.org\npassword = x\n")
        config = load(self.folder / "xbot.ini", self.environ)
        return BotService(config, self.clock, self.reasons.append)

    def stop(self, bot):
        stopped = bot.stopService()
        self.clock.pump([0, 1])
        self.successResultOf(stopped)

    def test_open_while_it_runs(self):
        """Responders can remember from the start to the stop, and the next bot knows it."""
        for count in (1, 2):
            bot = self.bot()
            memory = bot.brain.namespace("a")
            self.assertRaises(BrainNotOpen, memory.increment, "starts")
            bot.startService()
            self.assertEqual(memory.increment("starts"), count)
            self.stop(bot)
            self.assertRaises(BrainNotOpen, memory.increment, "starts")
            self.assertEqual(read_content(self.path).rows[0].text, str(count))

    def test_unused(self):
        """A bot whose responders remember nothing makes no file."""
        bot = self.bot()
        bot.startService()
        self.stop(bot)
        self.assertFalse(self.path.exists())

    def test_of_another_bot(self):
        """With another bot's brain it does not start, and a person is told."""
        self.test_open_while_it_runs()
        lock = take_lock(KIND, self.path)
        bot = self.bot()
        bot.startService()
        [reason] = self.reasons
        self.assertIn("another bot is using this state folder", reason)
        self.stop(bot)
        os.close(lock)
