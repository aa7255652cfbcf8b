"""The whole bot, put together from its configuration, as one Twisted service."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger
from twisted.python.failure import Failure

from xbot.config import credentials
from xbot.dispatch import Dispatcher
from xbot.entry import UnusableJournal
from xbot.errors import InvalidConfig, Problem
from xbot.interfaces import IJournal
from xbot.journal.file import FILE_NAME as JOURNAL_NAME
from xbot.journal.journal import Journal
from xbot.loader import load_responders
from xbot.outbox import Outbox
from xbot.settings import EMBEDDED, Config
from xbot.threads import InThread
from xbot.xmpp.adapter import XmppAdapter
from xbot.xmpp.endpoints import DomainEndpoint, host_endpoint
from xbot.xmpp.login import Account
from xbot.xmpp.redirect import Redirect, RedirectableEndpoint
from xbot.xmpp.remembered import Remembered
from xbot.xmpp.tls import ClientCertificate, client_options

if TYPE_CHECKING:
    from xbot.embedded import Embedded

#: Seconds for each try of a DNS look-up.
DNS_TIMEOUTS = (1, 3, 5)

#: Seconds that the answers under way have to leave when we do.
DRAIN_TIMEOUT = 10.0

#: Seconds that a program has to end once it was told to.
WIND_DOWN_TIMEOUT = 5.0


class BotService(Service):
    """One bot. ``gave_up(reason)`` is called when only a person can help.

    Making it loads the responders, and raises
    :class:`~xbot.errors.InvalidConfig` with what is wrong; nothing is
    connected, and nothing listens, before :meth:`startService`.
    """

    _log = Logger("xbot")

    def __init__(self, config: Config, reactor: Any, gave_up: Callable[[str], None]) -> None:
        self.config = config
        self._reactor = reactor
        self._gave_up = gave_up
        self._threads = InThread(reactor)
        self.embedded = _embedded(config, reactor)
        rooms = {str(room.jid): room.responders for room in config.rooms}
        responders = load_responders(config.responders, in_thread=self._threads, rooms=rooms)
        self.journal: IJournal | None = None
        if any(responder.effect for responder in responders):
            path = config.bot.state / JOURNAL_NAME
            self.journal = Journal(path, reactor, keep=config.bot.journal_keep)
        # These know each other; each is made before it is used.
        self.outbox = Outbox(lambda message: self.adapter.send(message))
        self.adapter = XmppAdapter(
            config.xmpp,
            self._account(),
            self._endpoint(),
            config.rooms,
            lambda message: self.dispatcher.got_message(message),
            self.outbox,
            lambda problem: gave_up(str(problem)),
            clock=reactor,
            uniform=random.uniform,
            # Its own: stuck responders must not keep us from logging in.
            in_thread=InThread(reactor),
        )
        self.dispatcher = Dispatcher(
            responders,
            self.outbox.put,
            reactor,
            name=config.bot.name,
            prefix=config.bot.prefix,
            nick_in=self.adapter.nick_in,
            rooms=rooms,
            journal=self.journal,
        )

    def startService(self) -> None:
        """Begin: the embedded server first, where there is one."""
        super().startService()
        started = Deferred.fromCoroutine(self._start())
        started.addErrback(self._cannot_start)

    def stopService(self) -> Deferred[None]:
        """End the runs under way, say goodbye, and close what is open."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _start(self) -> None:
        if self.embedded is not None:
            await self.embedded.start()
        if self.journal is not None:
            await self.journal.open()
        self.adapter.start()
        # Not awaited: it waits for a disk that fails.
        self.dispatcher.report_interrupted(self.outbox.put)

    def _cannot_start(self, failure: Failure) -> None:
        if not failure.check(UnusableJournal):
            self._log.failure("cannot start", failure)
        self._gave_up(f"cannot start: {failure.getErrorMessage()}")

    async def _stop(self) -> None:
        self.dispatcher.stop()
        if self.adapter.connection.stream is not None:
            await self._within(DRAIN_TIMEOUT, self.outbox.drained(), "not all was said in time")
        await self.adapter.stop()
        await self._within(
            WIND_DOWN_TIMEOUT, self._threads.wind_down(), "a program did not end in time"
        )
        if self.journal is not None:
            await self.journal.close()
        if self.embedded is not None:
            await self.embedded.stop()

    async def _within(self, seconds: float, ending: Deferred[None], otherwise: str) -> None:
        try:
            await ending.addTimeout(seconds, self._reactor)
        except TimeoutError:
            self._log.warn("{otherwise}; leaving all the same", otherwise=otherwise)

    def _account(self) -> Account:
        settings = self.config.xmpp
        if self.embedded is not None:
            password, authorities = self.embedded.password, self.embedded.authorities
            return Account(settings.jid, password, client_options(settings.jid.domain, authorities))
        return Account(
            settings.jid,
            settings.password,
            self._tls_options(direct=False),
            settings.pins,
            has_certificate=settings.certificate_file is not None,
            mechanisms=settings.sasl,
            remembered=Remembered(self.config.bot.state / "login.json"),
        )

    def _tls_options(self, *, direct: bool) -> Any:
        settings = self.config.xmpp
        option = "ca-file"
        try:
            authorities = settings.ca_file.read_bytes() if settings.ca_file else None
            certificate = None
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
        except (OSError, ValueError) as error:
            problem = Problem(self.config.path, 0, "xmpp", option, str(error))
            raise InvalidConfig([problem]) from None

    def _endpoint(self) -> RedirectableEndpoint:
        """Where to connect."""
        if self.embedded is not None:
            # Wherever it may send us, it is the only server here.
            return RedirectableEndpoint(self.embedded, lambda _: self.embedded)
        settings = self.config.xmpp
        direct_tls = self._tls_options(direct=True)

        def at(host: str, port: int, direct: bool) -> Any:
            return host_endpoint(self._reactor, host, port, direct_tls if direct else None)

        def of_domain(domain: str) -> Any:
            # Only who looks servers up pays for the resolver.
            from twisted.names.client import Resolver

            return DomainEndpoint(
                domain,
                Resolver("/etc/resolv.conf", timeout=DNS_TIMEOUTS, reactor=self._reactor),
                random.uniform,
                lambda target: at(target.host, target.port, target.direct),
                lambda stream: stream.authenticator.jid is not None,
            )

        def elsewhere(redirect: Redirect) -> Any:
            if redirect.port is None and not redirect.is_address:
                return of_domain(redirect.host)
            # A port that a redirect names is told of nowhere else: it is like this one.
            port = redirect.port or settings.port
            return at(redirect.host, port, settings.direct_tls)

        if settings.host is not None:
            home = at(settings.host, settings.port, settings.direct_tls)
        else:
            home = of_domain(settings.jid.domain)
        return RedirectableEndpoint(home, elsewhere)


def _embedded(config: Config, reactor: Any) -> Embedded | None:
    if config.xmpp.server != EMBEDDED:
        return None
    # A bot with a real server needs none of it.
    from xbot.embedded import Embedded

    return Embedded(config, reactor)
