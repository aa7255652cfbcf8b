"""``xbot demo``: embedded server, bot and a second client in one room, in one terminal."""

from __future__ import annotations

import os
import random
import secrets
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import connectionDone
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.logger import (
    FilteringLogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from xbot.app.service import BotService
from xbot.chat.xmpp.adapter import XmppAdapter
from xbot.chat.xmpp.security.tls import client_options
from xbot.chat.xmpp.stream.login import Account
from xbot.chat.xmpp.stream.redirect import RedirectableEndpoint
from xbot.config.settings import (
    EMBEDDED,
    BotSettings,
    Config,
    ResponderSettings,
    RoomSettings,
    Secret,
    XmppSettings,
)
from xbot.engine.outbox import Outbox
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.process.threads import InThread
from xbot.text.terminal import as_line

BOT = Jid.parse("xbot@localhost/bot")
YOU = Jid.parse("you@localhost/console")
ROOM = Jid.parse("demo@conference.localhost")

#: Time-outs in seconds: for both clients to join the room, and for answers to one line.
START_TIMEOUT = 30.0
ANSWER_TIMEOUT = 60.0

#: Maximum number of input lines queued before reading pauses (back-pressure).
MAX_WAITING = 100

WELCOME = """\
You are in the room {room} with a bot called xbot. What you type is said there.
Try:  xbot: ping      xbot: help      !whoami      hello xbot      (Ctrl-D ends)
"""


def demo_config() -> Config:
    """The configuration of an ini with ``server = embedded``, one room and one responder."""
    return Config(
        Path("demo"),
        BotSettings(name="xbot", prefix="!", sender_rate=None, room_rate=None),
        XmppSettings(jid=BOT, server=EMBEDDED),
        rooms=(RoomSettings(ROOM, "xbot"),),
        responders=(
            ResponderSettings(
                "hello",
                hear=r"(?i)\b(hello|hi) xbot\b",
                reply="Hello {nick}!",
                usage="hello xbot",
                help="be greeted",
            ),
        ),
    )


def run(*, verbose: bool = False) -> int:
    """Run the demo on this process's standard input and output; gives the exit status."""
    log_to_stderr(verbose=verbose)
    try:
        react(lambda reactor: Deferred.fromCoroutine(_demo(reactor)))
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


def log_to_stderr(*, verbose: bool) -> None:
    """Begin to log to standard error: errors, or, if ``verbose``, everything."""
    predicate = LogLevelFilterPredicate(LogLevel.debug if verbose else LogLevel.error)
    observer = FilteringLogObserver(textFileLogObserver(sys.stderr), [predicate])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)


async def _demo(reactor: Any) -> None:
    is_terminal = os.isatty(0)
    demo = Demo(reactor, sys.stdout.write)
    try:
        await demo.start()
        if is_terminal:
            sys.stdout.write(WELCOME.format(room=ROOM))
        sys.stdout.flush()
        console = Console(demo.say)
        StandardIO(console, reactor=reactor)
        if not await console.closed:
            raise SystemExit(1)
    finally:
        await demo.stop()


class Demo:
    """The bot with its embedded server, and a second client in its room.

    Messages in the room go to ``write``, one line at a time.
    """

    def __init__(self, reactor: Any, write: Callable[[str], object]) -> None:
        self._reactor = reactor
        self._write = write
        self.bot = BotService(demo_config(), reactor, _gave_up)
        assert self.bot.network.embedded is not None
        self._server = self.bot.network.embedded
        password = Secret(secrets.token_urlsafe())
        assert YOU.local
        self._server.server.add_account(YOU.local, password.reveal())
        self._outbox = Outbox(lambda message: self.you.send(message))
        self.you = XmppAdapter(
            XmppSettings(jid=YOU),
            Account(YOU, password, client_options(YOU.domain, self._server.authorities)),
            RedirectableEndpoint(self._server, lambda _: self._server),
            (RoomSettings(ROOM, "you"),),
            self._got_message,
            self._outbox,
            lambda problem: _gave_up(str(problem)),
            clock=reactor,
            uniform=random.uniform,
            in_thread=InThread(reactor),
        )

    async def start(self) -> None:
        """Start both; returns once both are in the room."""
        for adapter, begin in (
            (self.bot.network.adapter, self.bot.startService),
            (self.you, self.you.start),
        ):
            begin()
            room = adapter.rooms.get(ROOM)
            assert room is not None
            await self._within(START_TIMEOUT, room.listening())

    async def stop(self) -> None:
        await self.you.stop()
        await self.bot.stopService()

    async def say(self, text: str) -> None:
        """Say ``text`` in the room; returns once its answers are printed.

        It does not guess how long an answer takes: a ping behind the message proves
        that the room has it, the dispatcher tells when no run is under way, and one
        more ping each way proves that the answers have arrived.
        """
        self._outbox.put(Message(str(YOU), str(ROOM), text, {"type": "groupchat"}, room=str(ROOM)))
        await self.you.ping.ask()
        await self.bot.network.adapter.ping.ask()
        await self._within(ANSWER_TIMEOUT, self.bot.dispatcher.idle())
        await self.bot.network.adapter.ping.ask()
        await self.you.ping.ask()

    def _within(self, seconds: float, waiting: Deferred[None]) -> Deferred[None]:
        return waiting.addTimeout(seconds, self._reactor)

    def _got_message(self, message: Message) -> None:
        if not message.delayed:
            self._write(as_line(message.nick or message.sender, message.body))


class Console(LineOnlyReceiver):
    """Reads lines from standard input and says them one after the other.

    ``say(text)`` returns once the answers are printed. ``closed`` fires at the end of the
    input, with whether all lines were answered.
    """

    transport: Any
    delimiter = b"\n"
    MAX_LENGTH = 65536

    def __init__(self, say: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        self.closed: Deferred[bool] = Deferred()
        self._say = say
        self._turn: Deferred[None] = succeed(None)
        self._waiting = 0
        self._all_answered = True

    def lineReceived(self, line: bytes) -> None:
        """Queue one line of input; it is said once the lines before it are answered."""
        text = line.decode(errors="replace").strip()
        if not text:
            return
        self._waiting += 1
        if self._waiting == MAX_WAITING:
            self.transport.pauseProducing()
        self._turn.addCallback(lambda _: Deferred.fromCoroutine(self._say(text)))
        self._turn.addErrback(self._not_answered)
        self._turn.addCallback(self._answered)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Queue the last line, which may lack its line feed, and fire ``closed`` after it."""
        rest, self._buffer = self._buffer, b""
        self.lineReceived(rest)
        self._turn.addCallback(lambda _: self._all_answered).chainDeferred(self.closed)

    def _answered(self, _: object) -> None:
        self._waiting -= 1
        if self._waiting == MAX_WAITING - 1:
            self.transport.resumeProducing()

    def _not_answered(self, failure: Failure) -> None:
        self._all_answered = False
        sys.stderr.write(
            f"no answer: {failure.getErrorMessage() or type(failure.value).__name__}\n"
        )


def _gave_up(reason: str) -> None:
    # start() waits for the room; its time-out then ends the demo.
    Logger("xbot").critical("{reason}", reason=reason)
