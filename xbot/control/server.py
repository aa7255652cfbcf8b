"""The daemon's end: takes what is to be said, and tells when the server has it."""

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
    STATUS_LINE,
    BadRequest,
    Reply,
    Request,
    Result,
)
from xbot.model.errors import reason
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.process.uptime import uptime
from xbot.web.listener import Listener

#: So many may wait at once, and so many seconds have they to say what they want.
MAX_CONNECTIONS, PATIENCE = 32, 10.0


class Bot(NamedTuple):
    """What a bot can be asked to do.

    ``knows`` tells whether a room is one of ours, ``put`` takes a message for
    good or not, and calls its second argument once the server has it, or the
    third if it cannot be said, ``hindrance`` says why nothing can be said in a
    room now, or nothing, and ``status`` whether people in all rooms can use it,
    and how it is in words.
    """

    knows: Callable[[Jid], bool]
    put: Callable[[Message, Callable[[], None], Callable[[], None]], bool]
    hindrance: Callable[[Jid], str]
    status: Callable[[], tuple[bool, str]]


class SayServer:
    """Listens in the folder ``state`` between :meth:`start` and :meth:`stop`.

    Only the bot's own user (and root) can connect.
    """

    _log = Logger("xbot.control")

    def __init__(self, state: Path, bot: Bot, reactor: Any) -> None:
        self._state = state
        where = Listen(path=state / SOCKET_NAME)
        self._factory = SayFactory(bot, reactor)
        self._listening = Listener(where, self._factory, reactor, mode=0o600)

    def start(self) -> None:
        """Let people in."""
        try:
            self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            self._log.warn(
                "no state folder {path}: {reason}", path=str(self._state), reason=reason(error)
            )
        self._listening.start()

    def stop(self) -> Deferred[Any]:
        """Tell those who wait that they wait in vain; fires when nobody can connect."""
        self._factory.stop()
        return self._listening.stop()


class SayFactory(Factory):
    """Makes a :class:`SayProtocol` for each who connects."""

    noisy = False

    def __init__(self, bot: Bot, clock: Any, uptime: Callable[[], float] = uptime) -> None:
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
        """No more will be delivered."""
        for saying in list(self.open):
            saying.answer(Reply(Result.LOST, "the bot stops"))


class SayProtocol(LineOnlyReceiver):
    """One request, and its answer."""

    delimiter = b"\n"
    MAX_LENGTH = MAX_LINE
    factory: SayFactory
    transport: Any

    _log = Logger("xbot.control")

    def __init__(self, bot: Bot, clock: Any) -> None:
        self._bot = bot
        self._clock = clock
        self._limit: IDelayedCall | None = None
        self._has_asked = False
        self._is_over = False

    def connectionMade(self) -> None:
        """Somebody is there, and has some time to say what they want."""
        self.factory.open.add(self)
        self._limit = self._clock.callLater(
            PATIENCE, self.answer, Reply(Result.REFUSED, "nothing was asked in time")
        )

    def lineReceived(self, line: bytes) -> None:
        """The request; what comes after it is nobody's."""
        if self._has_asked:
            return
        self._has_asked = True
        self._stop_clock()
        if line == STATUS_LINE.rstrip():
            is_ready, words = self._bot.status()
            self.answer(Reply(Result.READY if is_ready else Result.NOT_READY, words))
            return
        try:
            request = Request.parse(line)
        except BadRequest as bad:
            self.answer(Reply(Result.REFUSED, str(bad)))
            return
        if not self._bot.knows(request.room):
            self.answer(Reply(Result.REFUSED, f"{request.room} is no room of this bot"))
            return
        if request.until is not None and request.until < self.factory.uptime():
            # It lay in the socket while we stood still.
            self._log.info("asked too long ago to say something in {room}", room=str(request.room))
            self.answer(Reply(Result.REFUSED, "that was asked too long ago"))
            return
        self._log.info("told to say something in {room}", room=str(request.room))
        message = Message("", str(request.room), request.text, {"type": "groupchat"},
                          room=str(request.room))  # fmt: skip
        if not self._bot.put(message, self._got_delivered, lambda: self._got_failed(request.room)):
            self.answer(Reply(Result.REFUSED, "too much waits to be said already"))
        elif not self._is_over:
            self._limit = self._clock.callLater(request.timeout, self._got_limit, request.room)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Nobody has that much to say."""
        self.answer(Reply(Result.REFUSED, "that is too long"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Whoever asked is gone; what was taken is said all the same."""
        self._is_over = True
        self._stop_clock()
        self.factory.open.discard(self)

    def answer(self, reply: Reply) -> None:
        """Tell what came of it, once."""
        if not self._is_over:
            self._is_over = True
            self._stop_clock()
            self.transport.write(reply.line())
            self.transport.loseConnection()

    def _got_delivered(self) -> None:
        self.answer(Reply(Result.DELIVERED))

    def _got_failed(self, room: Jid) -> None:
        reason = self._bot.hindrance(room)
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
