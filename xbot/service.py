"""The whole bot, put together from its configuration, as one Twisted service."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger
from twisted.python.failure import Failure

from xbot.dispatch import Dispatcher
from xbot.errors import InvalidConfig, Problem
from xbot.loader import load_responders
from xbot.outbox import Outbox
from xbot.settings import EMBEDDED, Config
from xbot.threads import InThread
from xbot.xmpp.adapter import XmppAdapter
from xbot.xmpp.endpoints import DomainEndpoint, host_endpoint
from xbot.xmpp.login import Account
from xbot.xmpp.tls import client_options

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
        self.adapter.start()

    def _cannot_start(self, failure: Failure) -> None:
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
        assert settings.password is not None
        try:
            read = settings.ca_file.read_bytes() if settings.ca_file else None
            options = client_options(settings.jid.domain, read)
        except (OSError, ValueError) as error:
            problem = Problem(self.config.path, 0, "xmpp", "ca-file", str(error))
            raise InvalidConfig([problem]) from error
        return Account(settings.jid, settings.password, options)

    def _endpoint(self) -> Any:
        """Where to connect."""
        if self.embedded is not None:
            return self.embedded
        settings = self.config.xmpp
        if settings.host is not None:
            return host_endpoint(self._reactor, settings.host, settings.port)
        # Only who looks servers up pays for the resolver.
        from twisted.names.client import Resolver

        return DomainEndpoint(
            settings.jid.domain,
            Resolver("/etc/resolv.conf", timeout=DNS_TIMEOUTS, reactor=self._reactor),
            random.uniform,
            lambda host, port: host_endpoint(self._reactor, host, port),
        )


def _embedded(config: Config, reactor: Any) -> Embedded | None:
    if config.xmpp.server != EMBEDDED:
        return None
    # A bot with a real server needs none of it.
    from xbot.embedded import Embedded

    return Embedded(config, reactor)
