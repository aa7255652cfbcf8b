"""Control socket server: ``xbot say``, ``status`` and ``reload``, in the daemon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from xbot.config.settings import Listen
from xbot.control.protocol import (
    MAX_LINE,
    SOCKET_NAME,
    BadRequest,
    Reply,
    Request,
    Result,
    parse,
)
from xbot.model.errors import reason
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.model.random_ids import new_ident
from xbot.process.uptime import uptime
from xbot.web.listener import Listener

#: Seconds in which a message to a person may come back after the server has it. A server that
#: keeps nothing for people who are offline sends it back about when it acknowledges it.
RETURN_WAIT = 2.0

#: Maximum number of open connections, and the time-out for a request to arrive, in seconds.
MAX_CONNECTIONS, PATIENCE = 32, 10.0


class BotCalls(NamedTuple):
    """The calls into the bot that the control socket needs.

    - ``knows(room)``: whether the bot is meant to be in the room.
    - ``may_write_to(person)``: whether the ini permits that.
    - ``put(message, delivered, failed)``: queue the message; returns whether it was queued.
      Later ``delivered`` is called once the server has it, or ``failed`` if it cannot be sent.
    - ``rejection(id)``: why the message with this id came back; empty if it did not.
    - ``hindrance(room)``: why nothing can be sent to the room now; empty if it can.
    - ``status()``: whether the bot is ready in all rooms, and its status in words.
    - ``account()``: the bot's bare JID.
    - ``reload()``: read the ini again; fires with why that was refused, empty if it was not.
    """

    knows: Callable[[Jid], bool]
    may_write_to: Callable[[Jid], bool]
    put: Callable[[Message, Callable[[], None], Callable[[], None]], bool]
    rejection: Callable[[str], str]
    hindrance: Callable[[Jid], str]
    status: Callable[[], tuple[bool, str]]
    account: Callable[[], str]
    reload: Callable[[], Deferred[str]]


class SayServer:
    """Listens on a Unix socket in the folder ``state``.

    Only the bot's own user (and root) can connect.
    """

    _log = Logger("xbot.control")

    def __init__(self, state: Path, bot: BotCalls, reactor: Any) -> None:
        self._state = state
        where = Listen(path=state / SOCKET_NAME)
        self._factory = SayFactory(bot, reactor)
        self._listening = Listener(where, self._factory, reactor, mode=0o600)

    def start(self) -> None:
        try:
            self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            self._log.warn(
                "no state folder {path}: {reason}", path=str(self._state), reason=reason(error)
            )
        self._listening.start()

    def stop(self) -> Deferred[Any]:
        """Answer the waiting clients that the bot stops; fires when the socket is closed."""
        self._factory.stop()
        return self._listening.stop()


class SayFactory(Factory):
    """Makes a :class:`SayProtocol` for each connection, up to :data:`MAX_CONNECTIONS`."""

    noisy = False

    def __init__(self, bot: BotCalls, clock: Any, uptime: Callable[[], float] = uptime) -> None:
        self.bot = bot
        self.clock = clock
        self.uptime = uptime
        self.open: set[SayProtocol] = set()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        if len(self.open) >= MAX_CONNECTIONS:
            return None
        saying = SayProtocol(self.bot, self.clock)
        saying.factory = self
        return saying

    def stop(self) -> None:
        """Answer all waiting clients: their messages will not be delivered any more."""
        for saying in list(self.open):
            saying.answer(Reply(Result.LOST, "the bot stops"))


class SayProtocol(LineOnlyReceiver):
    """One connection: one request and its reply."""

    delimiter = b"\n"
    MAX_LENGTH = MAX_LINE
    factory: SayFactory
    transport: Any

    _log = Logger("xbot.control")

    def __init__(self, bot: BotCalls, clock: Any) -> None:
        self._bot = bot
        self._clock = clock
        self._limit: IDelayedCall | None = None
        self._has_asked = False
        self._is_over = False

    def connectionMade(self) -> None:
        """Start the time-out for the request."""
        self.factory.open.add(self)
        self._limit = self._clock.callLater(
            PATIENCE, self.answer, Reply(Result.REFUSED, "nothing was asked in time")
        )

    def lineReceived(self, line: bytes) -> None:
        """Handle the request; further lines are ignored."""
        if self._has_asked:
            return
        self._has_asked = True
        self._stop_clock()
        try:
            request = parse(line)
        except BadRequest as bad:
            self.answer(Reply(Result.REFUSED, str(bad)))
            return
        if request.account not in (None, account := self._bot.account()):
            told = f"the bot with this state folder is {account}, and not {request.account}"
            self.answer(Reply(Result.REFUSED, told))
        elif isinstance(request, Request):
            self._got_text(request)
        elif request.ask == "status":
            is_ready, words = self._bot.status()
            self.answer(Reply(Result.READY if is_ready else Result.NOT_READY, words))
        else:
            self._bot.reload().addCallback(self._got_reload)

    def _got_reload(self, problem: str) -> None:
        self.answer(Reply(Result.REFUSED if problem else Result.DONE, problem))

    def _got_text(self, request: Request) -> None:
        """Queue the text of ``request``."""
        is_room = self._bot.knows(request.to)
        if not is_room and not self._bot.may_write_to(request.to):
            told = (
                f"{request.to} is no room of this bot, and may-write-to in [xbot] does not name it"
            )
            self.answer(Reply(Result.REFUSED, told))
            return
        if request.until is not None and request.until < self.factory.uptime():
            # The request waited in the socket while the daemon was suspended.
            self._log.info(
                "refused a request to send to {recipient}: it waited too long",
                recipient=str(request.to),
            )
            self.answer(Reply(Result.REFUSED, "that was asked too long ago"))
            return
        self._log.info("requested to send a message to {recipient}", recipient=str(request.to))
        message = Message(
            "",
            str(request.to),
            request.text,
            {"type": "groupchat" if is_room else "chat", "id": new_ident()},
            room=str(request.to) if is_room else None,
        )
        put = self._bot.put(
            message,
            self._got_delivered if is_room else lambda: self._got_taken(message),
            lambda: self._got_failed(message, request.to),
        )
        if not put:
            self.answer(Reply(Result.REFUSED, "too much waits to be said already"))
        elif not self._is_over and self._limit is None:
            self._limit = self._clock.callLater(request.timeout, self._got_limit, request.to)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.answer(Reply(Result.REFUSED, "that is too long"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client has gone; a message that was queued is still sent."""
        self._is_over = True
        self._stop_clock()
        self.factory.open.discard(self)

    def answer(self, reply: Reply) -> None:
        """Send the reply and close; only the first reply is sent."""
        if not self._is_over:
            self._is_over = True
            self._stop_clock()
            self.transport.write(reply.line())
            self.transport.loseConnection()

    def _got_delivered(self) -> None:
        self.answer(Reply(Result.DELIVERED))

    def _got_taken(self, message: Message) -> None:
        """The server has a message to a person, who may be offline: it may still come back."""
        self._stop_clock()
        if not self._is_over:
            self._limit = self._clock.callLater(RETURN_WAIT, self._got_kept, message)

    def _got_kept(self, message: Message) -> None:
        self._limit = None
        reason = self._bot.rejection(message.payload["id"])
        if reason:
            self.answer(Reply(Result.REFUSED, f"the message did not arrive: {reason}"))
        else:
            self.answer(Reply(Result.DELIVERED))

    def _got_failed(self, message: Message, to: Jid) -> None:
        reason = self._bot.rejection(message.payload["id"]) or self._bot.hindrance(to)
        why = f": {reason}" if reason else "; its log says why"
        self.answer(Reply(Result.REFUSED, f"the bot cannot say it{why}"))

    def _got_limit(self, room: Jid) -> None:
        self._limit = None
        reason = self._bot.hindrance(room) or "the server has not acknowledged it"
        self.answer(Reply(Result.QUEUED, reason))

    def _stop_clock(self) -> None:
        if self._limit is not None and self._limit.active():
            self._limit.cancel()
        self._limit = None
