"""The bot with a Twisted whose check of certificates asks for no name: a stand-in of ours."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet import ssl
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.scripts import twistd
from zope.interface import implementer

#: What Python is told to run in the place of twistd.
MAIN = f"from {__name__} import run; run()"


@implementer(IOpenSSLClientConnectionCreator)
class NoNames:
    """Who signed the certificate is asked, and by SNI for whom it is to be; no more."""

    def __init__(self, hostname: str, context: SSL.Context) -> None:
        self._hostname = hostname
        self._context = context

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        connection.set_connect_state()
        connection.set_tlsext_host_name(self._hostname.encode())
        return connection


def options_without_names(
    hostname: str,
    trustRoot: Any,
    acceptableProtocols: Any = None,
    *,
    extraCertificateOptions: Any,
) -> NoNames:
    """In the place of Twisted's ``optionsForClientTLS``, as far as we call it."""
    options = ssl.CertificateOptions(
        trustRoot=trustRoot, acceptableProtocols=acceptableProtocols, **extraCertificateOptions
    )
    return NoNames(hostname, options.getContext())


def run() -> None:
    """twistd, in a process of its own."""
    ssl.optionsForClientTLS = options_without_names
    twistd.run()
