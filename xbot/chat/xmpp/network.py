"""The XMPP network of a bot: owns the adapter and replaces it when the ini changes."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from xbot.chat.interfaces import INetwork, NetworkEnvironment
from xbot.chat.xmpp import report
from xbot.chat.xmpp.account import file_digests, make_account, make_endpoint
from xbot.chat.xmpp.adapter import XmppAdapter
from xbot.chat.xmpp.rooms.invited_rooms import FILE_NAME as ROOMS_NAME
from xbot.chat.xmpp.rooms.invited_rooms import InvitedRooms
from xbot.chat.xmpp.rooms.room import State as RoomState
from xbot.chat.xmpp.stream.connection import State, Status
from xbot.chat.xmpp.wire.wire_log import WireLog
from xbot.config.settings import EMBEDDED, Config
from xbot.model.jid import Jid
from xbot.model.status import Link, Place
from xbot.process.shutdown import HAND_OVER_TIMEOUT
from xbot.process.threads import InThread

if TYPE_CHECKING:
    from xbot.config.reload_plan import Plan
    from xbot.embedded_server.service import Embedded


@implementer(INetwork)
class XmppNetwork:
    """XMPP as a network: the account's adapter, and the embedded server if configured.

    The constructor raises :class:`~xbot.model.errors.InvalidConfig` when a file of
    the account cannot be used.
    """

    def __init__(
        self, reactor: Any, environment: NetworkEnvironment, trace: WireLog | None = None
    ) -> None:
        self._reactor = reactor
        self._environment = environment
        self._trace = trace
        # A thread pool of its own: stuck responders must not block the login.
        self._login_threads = InThread(reactor)
        self._make()

    async def start(self) -> None:
        if self.embedded is not None:
            await self.embedded.start()

    async def stop(self) -> None:
        await self.adapter.stop()

    async def close(self) -> None:
        if self.embedded is not None:
            await self.embedded.stop()

    @property
    def account(self) -> str:
        return str(self.adapter.jid or "")

    @property
    def dropped(self) -> Mapping[str, int]:
        return self.adapter.dropped

    @property
    def is_connected(self) -> bool:
        return self.adapter.connection.stream is not None

    def link(self, now: float) -> Link:
        return report.link(self.adapter, now)

    def places(self, now: float) -> tuple[Place, ...]:
        named = {room.jid for room in self._environment.config().rooms}
        return report.places(self.adapter, now, named)

    def knows_room(self, room: str) -> bool:
        return self.adapter.rooms.get(Jid.parse(room)) is not None

    def why_not_in(self, room: str) -> str:
        known = self.adapter.rooms.get(Jid.parse(room))
        if known is None:
            return ""
        return known.voice.problem if known.state is RoomState.JOINED else known.reason

    def changed_files(self, config: Config) -> list[str]:
        files = file_digests(config.xmpp)
        return [name for name, digest in files.items() if self._files.get(name) != digest]

    def check(self, config: Config) -> None:
        # Checked without the embedded server: that uses none of these files.
        make_account(config, None)
        make_endpoint(config, self._reactor, None)

    def change(self, plan: Plan) -> None:
        config = self._environment.config()
        for jid in plan.leave:
            self.adapter.leave(str(jid))
        self.adapter.change(config.xmpp, config.bot.name)
        for room in (*plan.join, *plan.change):
            self.adapter.join(room)
        self.adapter.rooms.retry_refused("the ini was read again")

    async def renew(self) -> None:
        if self.adapter.connection.stream is not None:
            await self._environment.drain(HAND_OVER_TIMEOUT)
        await self.stop()
        await self.close()
        if not self._environment.is_running():
            return
        self._make()
        await self.start()
        if self._environment.is_running():
            self.adapter.start()

    def _make(self) -> None:
        """Make the adapter for the current ini; it replaces the old one."""
        config = self._environment.config()
        self.embedded = _embedded(config, self._reactor)
        self._files = file_digests(config.xmpp)
        self.adapter = XmppAdapter(
            config.xmpp,
            make_account(config, self.embedded),
            make_endpoint(config, self._reactor, self.embedded),
            config.rooms,
            self._environment.got_message,
            self._environment.receipts,
            lambda problem: self._environment.gave_up(str(problem)),
            clock=self._reactor,
            uniform=random.uniform,
            in_thread=self._login_threads,
            invited=InvitedRooms(config.bot.state / ROOMS_NAME),
            nick=config.bot.name,
            trace=self._trace,
            ignores=self._environment.ignores,
            is_named=lambda jid: self._environment.config().names(jid),
        )
        self.adapter.connection.changed = self._got_status
        self._environment.got_adapter(self.adapter)

    def _got_status(self, status: Status) -> None:
        state, problem = status.state, status.last_error
        # In these states ``last_error`` is about an earlier connection.
        is_well = state in (State.ONLINE, State.NEGOTIATING)
        self._environment.got_change(state.value, None if is_well else problem)


def _embedded(config: Config, reactor: Any) -> Embedded | None:
    if config.xmpp.server != EMBEDDED:
        return None
    # Imported here: a bot with a real server does not need it.
    from xbot.embedded_server.service import Embedded

    return Embedded(config, reactor)
