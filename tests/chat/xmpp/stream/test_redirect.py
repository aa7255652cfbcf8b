"""Redirects (see-other-host): parsing and limit."""

from twisted.trial import unittest

from xbot.chat.xmpp.stream.redirect import MAX_REDIRECTS, Redirect, RedirectableEndpoint, Redirects
from xbot.chat.xmpp.wire.errors import ProtocolViolation


class ParseTests(unittest.TestCase):
    def test_hosts(self):
        """A name or an address, with a port or without; IPv6 in brackets (RFC 6120 4.9.3.19)."""
        table = {
            "example.net": ("example.net", None, False),
            " example.net:9222\n": ("example.net", 9222, False),
            "b\u00fccher.example": ("b\u00fccher.example", None, False),
            "192.0.2.1": ("192.0.2.1", None, True),
            "192.0.2.1:1": ("192.0.2.1", 1, True),
            "[2001:db8::1]": ("2001:db8::1", None, True),
            "[2001:db8::1]:65535": ("2001:db8::1", 65535, True),
        }
        for text, (host, port, is_address) in table.items():
            redirect = Redirect.parse(text)
            self.assertEqual((redirect.host, redirect.port), (host, port), text)
            self.assertIs(redirect.is_address, is_address, text)

    def test_no_hosts(self):
        """Anything else is refused, and told in a few characters."""
        for text in (
            "", ":", ":5222", "a:", "a:0", "a:65536", "a:x", "a:-1", "a:+1", "a:1:2", "a:\u0661",
            "2001:db8::1", "[2001:db8::1", "[2001:db8::1]5222", "[2001:db8::1]:", "[]", "[a]",
            "[192.0.2.1]", "[fe80::1%eth0]", "a b", "a/b", "http://a", "user@a", "-a", "a-.b",
            "a..b", ".", "1.2.3", "256.1.1.1", "x" * 64, "a." * 200 + "b", "a\nb", "a\x00",
            "x" * 1_000_000,
        ):  # fmt: skip
            with self.assertRaises(ProtocolViolation, msg=text[:80]) as caught:
                Redirect.parse(text)
            self.assertLess(len(str(caught.exception)), 400)


class RedirectsTests(unittest.TestCase):
    def test_three_in_a_row(self):
        """Three are followed, the fourth is not; then it counts from the start."""
        redirects = Redirects()
        for _ in range(2):
            for number in range(MAX_REDIRECTS):
                self.assertEqual(redirects.follow(f"h{number}"), Redirect(f"h{number}"))
            with self.assertRaises(ProtocolViolation):
                redirects.follow("h")

    def test_reset(self):
        """A login lets the count begin anew."""
        redirects = Redirects()
        for _ in range(10):
            redirects.follow("h")
            redirects.reset()


class Named:
    """A fake endpoint that returns its name."""

    def __init__(self, name):
        self.name = name

    def connect(self, factory):
        return self.name


class EndpointTests(unittest.TestCase):
    def setUp(self):
        self.endpoint = RedirectableEndpoint(
            Named("home"), lambda redirect: Named(f"{redirect.host} {redirect.port}")
        )

    def test_once(self):
        """A redirect is for the next connection; the one after that starts at home."""
        self.assertEqual(self.endpoint.connect(None), "home")
        self.endpoint.redirect("[::1]:99")
        self.assertEqual(self.endpoint.connect(None), "::1 99")
        self.assertEqual(self.endpoint.connect(None), "home")

    def test_chain(self):
        """A chain of ten is followed for three, and then left for home."""
        followed = []
        for number in range(10):
            try:
                self.endpoint.redirect(f"h{number}")
            except ProtocolViolation:
                break
            followed.append(self.endpoint.connect(None))
        self.assertEqual(followed, ["h0 None", "h1 None", "h2 None"])
        self.assertEqual(self.endpoint.connect(None), "home")

    def test_refused(self):
        """A redirect to nowhere leads home, and a login forgives the earlier ones."""
        self.endpoint.redirect("h")
        with self.assertRaises(ProtocolViolation):
            self.endpoint.redirect("no host")
        self.assertEqual(self.endpoint.connect(None), "home")
        for _ in range(10):
            self.endpoint.redirect("h")
            self.endpoint.got_login()
