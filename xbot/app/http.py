"""What the bot serves over HTTP: how it is, and a door for webhooks. It follows the ini."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from xbot.app.assembly import Assembly
from xbot.config.settings import Config
from xbot.model.file_state import UnusableFile
from xbot.model.recent_events import Command
from xbot.model.status import Overview, Posts

if TYPE_CHECKING:
    from xbot.web.service import StatusServer
    from xbot.webhooks.door import Door


class HttpServices:
    """Nothing, for as long as the ini has no ``[http]``; else on its address.

    ``overview`` tells how the bot is, and ``assembly`` says what webhooks say.
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
        #: Since the bot first listened.
        self.webhooks: Door | None = None
        self._server = self._make(assembly.config)

    async def start(self) -> None:
        """Listen.

        :raises UnusableFile: when what webhooks have to say cannot be kept.
        """
        self._is_running = True
        if self.webhooks is not None:
            await self.webhooks.change(self._assembly.config.webhooks)
        if self._server is not None:
            self._server.start()

    async def change(self) -> None:
        """Do as the assembly's configuration says by now."""
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
        """Listen no more; what webhooks have not said is said by the next process."""
        self._is_running = False
        if self._server is not None:
            await self._server.stop()
        if self.webhooks is not None:
            self.webhooks.hold()

    async def close(self) -> None:
        """Close what is kept, once nothing is said any more."""
        if self.webhooks is not None:
            await self.webhooks.close()

    @property
    def posts(self) -> Posts | None:
        """What was posted to webhooks; None for as long as nobody can."""
        return self.webhooks.posts() if self.webhooks is not None else None

    def got_command(self, command: Command) -> None:
        """A run is over."""
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
        # Few bots have it, and none of the others pays for it.
        from xbot.web.service import StatusServer

        if self.webhooks is None:
            self.webhooks = self._door(config)
        return StatusServer(
            config.http, self._overview, self._reactor, self._wall_clock, self.webhooks
        )

    def _door(self, config: Config) -> Door:
        from xbot.webhooks.door import Door
        from xbot.webhooks.file import FILE_NAME
        from xbot.webhooks.spool import Spool

        spool = Spool(
            config.bot.state / FILE_NAME,
            str(config.xmpp.jid),
            self._assembly.offer,
            self._reactor,
            wall_clock=self._wall_clock,
        )
        return Door(spool, self._reactor, self._assembly.taker)
