"""The bot on XMPP: the adapter of the account that the ini names. It follows the ini."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from xbot.app.assembly import Assembly
from xbot.chat.xmpp.account import file_digests, make_account, make_endpoint
from xbot.chat.xmpp.adapter import XmppAdapter
from xbot.chat.xmpp.rooms.invited_rooms import FILE_NAME as ROOMS_NAME
from xbot.chat.xmpp.rooms.invited_rooms import InvitedRooms
from xbot.chat.xmpp.stream.connection import Status
from xbot.chat.xmpp.wire.wire_log import WireLog
from xbot.config.settings import EMBEDDED, Config
from xbot.process.shutdown import HAND_OVER_TIMEOUT
from xbot.process.threads import InThread

if TYPE_CHECKING:
    from xbot.config.reload_plan import Plan
    from xbot.embedded_server.service import Embedded


class XmppNetwork:
    """The ``adapter`` of ``assembly``, and the server of its own where the ini asks for one.

    Making it raises :class:`~xbot.model.errors.InvalidConfig` for bad files of the
    account. ``is_running`` says whether a connection is still wanted,
    ``gave_up(reason)`` is called when only a person can help, and ``got_status``
    at each change of the connection.
    """

    def __init__(
        self,
        assembly: Assembly,
        reactor: Any,
        is_running: Callable[[], bool],
        gave_up: Callable[[str], None],
        got_status: Callable[[Status], object],
        trace: WireLog | None,
    ) -> None:
        self._assembly = assembly
        self._reactor = reactor
        self._is_running = is_running
        self._gave_up = gave_up
        self._got_status = got_status
        self._trace = trace
        # Its own: stuck responders must not keep us from logging in.
        self._login_threads = InThread(reactor)
        self._make()

    async def start(self) -> None:
        """Begin with the embedded server, where there is one; the assembly begins the adapter."""
        if self.embedded is not None:
            await self.embedded.start()

    async def stop(self) -> None:
        """Say goodbye and disconnect."""
        await self.adapter.stop()

    async def close(self) -> None:
        """End the embedded server too."""
        if self.embedded is not None:
            await self.embedded.stop()

    def changed_files(self, config: Config) -> list[str]:
        """The options of ``config`` whose files hold something else than when we connected."""
        files = file_digests(config.xmpp)
        return [name for name, digest in files.items() if self._files.get(name) != digest]

    def check(self, config: Config) -> None:
        """Raises InvalidConfig where we could not connect with its files."""
        # The embedded server has none.
        make_account(config, None)
        make_endpoint(config, self._reactor, None)

    def change(self, plan: Plan) -> None:
        """The same account: nothing but what differs is touched."""
        config = self._assembly.config
        for jid in plan.leave:
            self.adapter.leave(str(jid))
        self.adapter.change(config.xmpp, config.bot.name)
        for room in (*plan.join, *plan.change):
            self.adapter.join(room)

    async def renew(self) -> None:
        """Another account, or another way to it. What waits in the outbox waits on."""
        if self.adapter.connection.stream is not None:
            await self._assembly.drain(HAND_OVER_TIMEOUT)
        await self.stop()
        await self.close()
        if not self._is_running():
            return
        self._make()
        await self.start()
        if self._is_running():
            self.adapter.start()

    def _make(self) -> None:
        """The adapter to the account of the ini, from now on the one and only."""
        config = self._assembly.config
        self.embedded = _embedded(config, self._reactor)
        self._files = file_digests(config.xmpp)
        self.adapter = self._assembly.adapter = XmppAdapter(
            config.xmpp,
            make_account(config, self.embedded),
            make_endpoint(config, self._reactor, self.embedded),
            config.rooms,
            self._assembly.dispatcher.got_message,
            self._assembly.outbox,
            lambda problem: self._gave_up(str(problem)),
            clock=self._reactor,
            uniform=random.uniform,
            in_thread=self._login_threads,
            invited=InvitedRooms(config.bot.state / ROOMS_NAME),
            nick=config.bot.name,
            trace=self._trace,
            ignores=self._assembly.dispatcher.ignores,
        )
        self.adapter.connection.changed = self._got_status


def _embedded(config: Config, reactor: Any) -> Embedded | None:
    if config.xmpp.server != EMBEDDED:
        return None
    # A bot with a real server needs none of it.
    from xbot.embedded_server.service import Embedded

    return Embedded(config, reactor)
