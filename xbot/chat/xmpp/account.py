"""Build the account's credentials, TLS options and endpoint from the configuration."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from xbot.chat.xmpp.security.downgrade import FILE_NAME, DowngradeProtection
from xbot.chat.xmpp.security.tls import ClientCertificate, client_options
from xbot.chat.xmpp.stream.endpoints import DomainEndpoint, host_endpoint
from xbot.chat.xmpp.stream.login import Account
from xbot.chat.xmpp.stream.redirect import Redirect, RedirectableEndpoint
from xbot.config import credentials
from xbot.config.reader import line_of
from xbot.config.settings import Config, XmppSettings
from xbot.model.errors import InvalidConfig, Problem

if TYPE_CHECKING:
    from xbot.embedded_server.service import Embedded

#: Time-out in seconds of each try of a DNS look-up.
DNS_TIMEOUTS = (1, 3, 5)

#: Maximum size in bytes of a certificate file; a bundle of all CAs is smaller.
MAX_FILE = 1 << 22


def make_account(config: Config, embedded: Embedded | None) -> Account:
    """The account to log in with, read from the configuration.

    :raises xbot.model.errors.InvalidConfig: when one of its files cannot be used.
    """
    settings = config.xmpp
    if embedded is not None:
        password, authorities = embedded.password, embedded.authorities
        return Account(settings.jid, password, client_options(settings.jid.domain, authorities))
    return Account(
        settings.jid,
        settings.password,
        _tls_options(config, direct=False),
        settings.pins,
        has_certificate=settings.certificate_file is not None,
        mechanisms=settings.sasl,
        remembered=DowngradeProtection(config.bot.state / FILE_NAME),
    )


def _tls_options(config: Config, *, direct: bool) -> Any:
    settings = config.xmpp
    option = "ca-file"
    try:
        authorities = certificate = None
        if settings.ca_file is not None:
            authorities, _ = credentials.read_file(settings.ca_file, MAX_FILE)
        if settings.certificate_file is not None and settings.key_file is not None:
            option = "certificate-file"
            chain, _ = credentials.read_file(settings.certificate_file, credentials.MAX_KEY)
            key = credentials.read_private(
                settings.key_file, os.environ, os.geteuid(), credentials.MAX_KEY
            )
            certificate = ClientCertificate.load(chain, key)
        option = "ca-file"
        return client_options(
            settings.jid.domain, authorities, certificate=certificate, direct=direct
        )
    except credentials.Unusable as error:
        reason = error.reason
    except ValueError as error:
        file = settings.ca_file if option == "ca-file" else settings.certificate_file
        reason = f"{file}: {error}"
    line = line_of(config.path, "xmpp", option)
    raise InvalidConfig([Problem(config.path, line, "xmpp", option, reason)])


def make_endpoint(config: Config, reactor: Any, embedded: Embedded | None) -> RedirectableEndpoint:
    """The endpoint to connect to: a fixed host, or SRV look-ups of the domain.

    :raises xbot.model.errors.InvalidConfig: when one of the account's files cannot be used.
    """
    if embedded is not None:
        # A redirect leads back to it, too: it is the only server.
        return RedirectableEndpoint(embedded, lambda _: embedded)
    settings = config.xmpp
    direct_tls = _tls_options(config, direct=True)

    def at(host: str, port: int, direct: bool) -> Any:
        return host_endpoint(reactor, host, port, direct_tls if direct else None)

    def of_domain(domain: str) -> Any:
        # Imported here: only a look-up needs the resolver.
        from twisted.names.client import Resolver

        return DomainEndpoint(
            domain,
            Resolver("/etc/resolv.conf", timeout=DNS_TIMEOUTS, reactor=reactor),
            random.uniform,
            lambda target: at(target.host, target.port, target.direct),
            lambda stream: stream.authenticator.jid is not None,
        )

    def elsewhere(redirect: Redirect) -> Any:
        if redirect.port is None and not redirect.is_address:
            return of_domain(redirect.host)
        # Nothing tells whether that port speaks direct TLS: take it to be like ours.
        port = redirect.port or settings.port
        return at(redirect.host, port, settings.direct_tls)

    if settings.host is not None:
        home = at(settings.host, settings.port, settings.direct_tls)
    else:
        home = of_domain(settings.jid.domain)
    return RedirectableEndpoint(home, elsewhere)


def file_digests(settings: XmppSettings) -> Mapping[str, bytes]:
    """SHA-256 of each file of the account, by option: to notice at a reload that one changed."""
    digests = {}
    for option, path in (
        ("ca-file", settings.ca_file),
        ("certificate-file", settings.certificate_file),
        ("key-file", settings.key_file),
    ):
        if path is not None:
            try:
                data, _ = credentials.read_file(path, MAX_FILE)
            except credentials.Unusable:
                data = b""
            digests[option] = sha256(data).digest()
    return digests
