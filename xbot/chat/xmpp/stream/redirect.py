"""Redirects (see-other-host): parse, limit and follow them (RFC 6120, section 4.9.3.19)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from xbot.chat.xmpp.wire.errors import ProtocolViolation

#: Maximum number of redirects followed in a row; the RFC asks for 2 to 5.
MAX_REDIRECTS = 3

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)


class Redirect(NamedTuple):
    """The target of a redirect. Without a port, the host's SRV records are looked up."""

    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Redirect:
        """Parse ``host``, ``host:port``, ``[IPv6]`` or ``[IPv6]:port``.

        :raises ProtocolViolation: for any other text.
        """
        text = text.strip()
        host, port = text, None
        if text.startswith("["):
            host, bracket, rest = text[1:].partition("]")
            if not bracket or (rest and not rest.startswith(":")):
                raise _no_host(text)
            port = rest[1:] if rest else None
            if not _is_address(host, ipaddress.IPv6Address):
                raise _no_host(text)
        else:
            host, colon, rest = text.partition(":")
            port = rest if colon else None
            if not _is_address(host, ipaddress.IPv4Address) and not _is_name(host):
                raise _no_host(text)
        if port is None:
            return cls(host)
        if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
            raise _no_host(text)
        return cls(host, int(port))

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address, which has no SRV records."""
        return _is_address(self.host, ipaddress.ip_address)


class Redirects:
    """Counts the redirects since the last login, and refuses one too many."""

    def __init__(self) -> None:
        self.count = 0

    def follow(self, text: str) -> Redirect:
        """Parse and count a redirect; ``text`` is the content of ``<see-other-host/>``.

        :raises ProtocolViolation: when it is malformed, or one too many; then the count
            begins anew.
        """
        if self.count >= MAX_REDIRECTS:
            self.reset()
            raise ProtocolViolation(f"the server redirects us more than {MAX_REDIRECTS} times")
        redirect = Redirect.parse(text)
        self.count += 1
        return redirect

    def reset(self) -> None:
        """Set the count to zero, after a login."""
        self.count = 0


@implementer(IStreamClientEndpoint)
class RedirectableEndpoint:
    """Endpoint for ``home``, or once for the target of :meth:`redirect` or :meth:`prefer`.

    The certificate must be valid for our own domain wherever the redirect leads, so a
    forged redirect costs one failed connection and nothing else.
    """

    def __init__(self, home: Any, connect_to: Callable[[Redirect], Any]) -> None:
        self._home = home
        self._connect_to = connect_to
        self._redirects = Redirects()
        self._next: Redirect | None = None

    def redirect(self, text: str) -> Redirect:
        """Make the next connection go where ``<see-other-host>text</see-other-host>`` says.

        :raises ProtocolViolation: when the redirect is not followed.
        """
        self._next = None
        self._next = self._redirects.follow(text)
        return self._next

    def prefer(self, location: str) -> None:
        """Make the next connection go to where our session is kept (XEP-0198, section 3).

        A malformed location is ignored.
        """
        try:
            self._next = Redirect.parse(location)
        except ProtocolViolation:
            self._next = None

    def got_login(self) -> None:
        """A login succeeded: reset the count of redirects."""
        self._redirects.reset()

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; a redirect is used once, the connection after it goes to ``home``."""
        redirect, self._next = self._next, None
        endpoint = self._home if redirect is None else self._connect_to(redirect)
        connected: Deferred[IProtocol] = endpoint.connect(factory)
        return connected


def _is_address(text: str, parse: Callable[[str], object]) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    # A zone ("%eth0") is meaningful only on this machine; a server cannot name one.
    return "%" not in text


def _is_name(text: str) -> bool:
    try:
        encoded = text.encode("idna").decode("ascii")
    except UnicodeError:
        return False
    labels = encoded.removesuffix(".").split(".")
    return (
        len(encoded) <= 253
        and all(_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )


def _no_host(text: str) -> ProtocolViolation:
    return ProtocolViolation(f"the server redirects us to {text[:64]!r}, which is not a host")
