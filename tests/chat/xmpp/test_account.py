"""Credentials, TLS options and endpoint from the configuration."""

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial import unittest

from tests.chat.xmpp.security.test_tls import Identity
from xbot.chat.xmpp import account
from xbot.chat.xmpp.account import make_account, make_endpoint
from xbot.chat.xmpp.stream.endpoints import DomainEndpoint
from xbot.chat.xmpp.stream.redirect import Redirect, RedirectableEndpoint
from xbot.config import load
from xbot.model.errors import InvalidConfig


class AccountCase(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.environ = {"PATH": "/usr/bin", "STATE_DIRECTORY": str(self.folder / "state")}

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        path.chmod(0o600)

    def config(self, more):
        self.write("xbot.ini", f"[xmpp]\njid = xbot@example.org\npassword = x\n{more}".encode())
        return load(self.folder / "xbot.ini", self.environ)


class AccountTests(AccountCase):
    def account(self, more=""):
        return make_account(self.config(more), None)

    def test_plain_ini(self):
        """Without further options any mechanism will do, and the state folder keeps the best."""
        account = self.account()
        self.assertEqual(
            (account.mechanisms, account.has_certificate, account.pins), (None, False, frozenset())
        )
        self.assertEqual(account.remembered._path, self.folder / "state" / "login.json")
        self.assertFalse((self.folder / "state").exists())

    def test_options(self):
        """What the ini allows and pins reaches the account."""
        account = self.account(f"sasl = PLAIN\npin-sha256 = {'A' * 43}=")
        self.assertEqual((account.mechanisms, account.pins), (("PLAIN",), frozenset({bytes(32)})))

    def test_certificate(self):
        """The account's certificate and key are read when it is made."""
        ours = Identity("xbot@example.org")
        self.write("cert", ours.pem)
        self.write("key", ours.key_pem)
        account = self.account("certificate-file = cert\nkey-file = key")
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
                self.account(more)
            [problem] = caught.exception.problems
            self.assertEqual((problem.section, problem.option), ("xmpp", option))
            line = problem.path.read_text().splitlines()[problem.line - 1]
            self.assertEqual(line, f"{option} = {file}")
            self.assertIn(f"/{file}: ", problem.reason)
            self.assertNotIn("hunter2", str(caught.exception))


class EndpointTests(AccountCase):
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
        return make_endpoint(self.config(more), Clock(), None)

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
