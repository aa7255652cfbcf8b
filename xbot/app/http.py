"""The bot's HTTP services: status page, metrics and webhooks; reconfigured on reload."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from xbot.app.assembly import Assembly
from xbot.config.settings import Config
from xbot.model.file_state import FileState, UnusableFile
from xbot.model.recent_events import Command
from xbot.model.status import Overview, Posts

if TYPE_CHECKING:
    from xbot.web.service import StatusServer
    from xbot.webhooks.door import WebhookEndpoint


class HttpServices:
    """The HTTP server of ``[http]``; without that section it does nothing.

    ``overview`` gives the bot's status; ``assembly`` says the texts of webhooks.
    """

    _log = Logger("xbot")

    def __init__(
        self,
        assembly: Assembly,
        reactor: Any,
        overview: Callable[[], Overview],
        wall_clock: Callable[[], float],
    ) -> None:
        self._assembly = assembly
        self._reactor = reactor
        self._overview = overview
        self._wall_clock = wall_clock
        self._is_running = False
        #: None until the ini first has an ``[http]`` section.
        self.webhooks: WebhookEndpoint | None = None
        self._server = self._make(assembly.config)

    async def start(self) -> None:
        """Start listening.

        :raises UnusableFile: when the spool file of the webhooks cannot be used.
        """
        self._is_running = True
        if self.webhooks is not None:
            await self.webhooks.change(self._assembly.config.webhooks)
        if self._server is not None:
            self._server.start()

    async def change(self) -> None:
        """Apply the assembly's current configuration."""
        before = self._server.settings if self._server is not None else None
        is_other = before != self._assembly.config.http
        if is_other:
            server, self._server = self._server, None
            if server is not None:
                await server.stop()
            if self._is_running:
                self._server = self._make(self._assembly.config)
        await self._change_webhooks()
        if is_other and self._is_running and self._server is not None:
            self._server.start()

    async def stop(self) -> None:
        """Stop listening; the next process says the webhook texts still in the spool."""
        self._is_running = False
        if self._server is not None:
            await self._server.stop()
        if self.webhooks is not None:
            self.webhooks.hold()

    async def close(self) -> None:
        """Close the spool; call it after the outbox has stopped."""
        if self.webhooks is not None:
            await self.webhooks.close()

    @property
    def posts(self) -> Posts | None:
        """Counts of the posts to webhooks; None without webhooks."""
        return self.webhooks.posts() if self.webhooks is not None else None

    @property
    def spool_state(self) -> FileState | None:
        """Health of the webhooks' spool; None without webhooks."""
        # The spool's file is opened for the first webhook.
        if self.webhooks is None or not self._assembly.config.webhooks:
            return None
        return self.webhooks.spool_state

    def got_command(self, command: Command) -> None:
        if self._server is not None:
            self._server.got_command(command)

    async def _change_webhooks(self) -> None:
        if self.webhooks is None:
            return
        try:
            await self.webhooks.change(self._assembly.config.webhooks)
        except UnusableFile as unusable:
            self._log.error("webhooks cannot be used: {problem}", problem=str(unusable))

    def _make(self, config: Config) -> StatusServer | None:
        if config.http is None:
            return None
        # Imported late: most bots have no [http] and need not pay for the import.
        from xbot.web.service import StatusServer

        if self.webhooks is None:
            self.webhooks = self._webhook_endpoint(config)
        return StatusServer(
            config.http, self._overview, self._reactor, self._wall_clock, self.webhooks
        )

    def _webhook_endpoint(self, config: Config) -> WebhookEndpoint:
        from xbot.webhooks.door import WebhookEndpoint
        from xbot.webhooks.file import FILE_NAME
        from xbot.webhooks.spool import Spool

        spool = Spool(
            config.bot.state / FILE_NAME,
            str(config.xmpp.jid),
            self._assembly.offer,
            self._reactor,
            wall_clock=self._wall_clock,
            is_person=self._assembly.is_person,
        )
        return WebhookEndpoint(spool, self._reactor, self._assembly.taker, self._wall_clock)
