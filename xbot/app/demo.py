"""``xbot demo``: embedded server, bot and people in one room, in one terminal."""

from __future__ import annotations

import random
import secrets
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import TimeoutError
from twisted.logger import Logger

from xbot.app import console
from xbot.app.console import CannotTalk, complete, converse, is_terminal, own_folder
from xbot.app.service import BotService
from xbot.chat.terminal.speaker import switched_to
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
from xbot.embedded_server.service import GUESTS
from xbot.engine.outbox import Outbox
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.process.threads import InThread
from xbot.text.terminal import as_line

BOT = Jid.parse("xbot@localhost/bot")
YOU = Jid.parse("you@localhost/console")
ROOM = Jid.parse("demo@conference.localhost")

#: Time-outs in seconds: for a client to join the room, and for answers to one line.
START_TIMEOUT = 30.0
ANSWER_TIMEOUT = 60.0

#: Maximum number of people; each has a connection of their own.
MAX_PEOPLE = 10

HISTORY = "demo-history"

WELCOME = f"""\
You are in the room {ROOM} with a bot called xbot. What you type is said there.
Try:  xbot: ping      xbot: help      !whoami      hello xbot
An approval by another person:  !deploy web  then  /as bob  and  !approve CODE
/as you  makes you yourself again. Tab completes, the up arrow brings lines back, Ctrl-D ends.
"""


def demo_config(state: Path) -> Config:
    """The configuration of an ini with ``server = embedded``, one room and two responders."""
    return Config(
        Path("demo"),
        BotSettings(name="xbot", prefix="!", state=state, sender_rate=None, room_rate=None),
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
            ResponderSettings(
                "deploy",
                match=r"deploy (?P<app>[\w-]+)",
                reply="{app} is deployed (this demo only says so).",
                usage="deploy APP",
                help="try an approval",
                effect=True,
                approve=1,
            ),
        ),
    )


def run(*, verbose: bool = False) -> int:
    """Run the demo on this process's standard input and output; gives the exit status."""
    try:
        console.run(_demo, verbose=verbose)
    except CannotTalk as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _demo(reactor: Any) -> None:
    with tempfile.TemporaryDirectory(prefix="xbot-demo-") as state:
        # A terminal has shown what was typed; a pipe has not.
        demo = Demo(reactor, console.write, Path(state), echoes=not is_terminal())
        try:
            await demo.start()
            await converse(demo, reactor, WELCOME, own_folder() / HISTORY)
        finally:
            await demo.stop()


class Person:
    """A person of the demo: a client with an account at its server, in its room.

    Each message in the room and to this person goes to ``got_message(person, message)``.
    """

    def __init__(
        self, jid: Jid, demo: Demo, got_message: Callable[[Person, Message], None], reactor: Any
    ) -> None:
        assert jid.local
        self.name, self.jid = jid.local, jid
        server = demo.server
        password = Secret(GUESTS.get(self.name) or secrets.token_urlsafe())
        server.server.add_account(self.name, password.reveal())
        self.outbox = Outbox(lambda message: self.adapter.send(message))
        self.adapter = XmppAdapter(
            XmppSettings(jid=jid),
            Account(jid, password, client_options(jid.domain, server.authorities)),
            RedirectableEndpoint(server, lambda _: server),
            (RoomSettings(ROOM, self.name),),
            lambda message: got_message(self, message),
            self.outbox,
            lambda problem: _gave_up(str(problem)),
            clock=reactor,
            uniform=random.uniform,
            in_thread=InThread(reactor),
        )


class Demo:
    """The bot with its embedded server, and people in its room; ``you`` is the first of them.

    Messages go to ``write``, one line at a time: those of the bot, and with ``echoes`` those
    of the people, too. State files are in the folder ``state``.
    """

    def __init__(
        self, reactor: Any, write: Callable[[str], object], state: Path, *, echoes: bool = True
    ) -> None:
        self._reactor = reactor
        self.write = write
        self._echoes = echoes
        self.bot = BotService(demo_config(state), reactor, _gave_up)
        assert self.bot.network.embedded is not None
        self.server = self.bot.network.embedded
        # Fires when the bot asks a question.
        self._asked: Deferred[None] = Deferred()
        self.you = self._current = Person(YOU, self, self._got_message, reactor)
        self._people = {self.you.name: self.you}

    @property
    def speaker(self) -> str:
        return self._current.name

    async def start(self) -> None:
        """Start both; returns once both are in the room."""
        try:
            self.bot.startService()
            await self._joined(self.bot.network.adapter)
            self.you.adapter.start()
            await self._joined(self.you.adapter)
        except TimeoutError:
            raise CannotTalk(f"the demo did not start within {START_TIMEOUT:g} s") from None

    async def stop(self) -> None:
        for person in self._people.values():
            await person.adapter.stop()
        await self.bot.stopService()

    async def say(self, text: str) -> None:
        """Say ``text`` in the room; returns once its answers are written.

        It does not guess how long an answer takes: a ping behind the message proves
        that the room has it, the dispatcher tells when no run is under way or asks a
        question, and one more ping each way proves that the answers have arrived.
        """
        try:
            jid = switched_to(text, YOU.domain)
        except ValueError as error:
            self.write(f"{error}\n")
            return
        if jid is not None:
            await self._become(jid)
            return
        speaker, bot, dispatcher = self._current, self.bot.network.adapter, self.bot.dispatcher
        message = Message(str(speaker.jid), str(ROOM), text, {"type": "groupchat"}, room=str(ROOM))
        self._asked = Deferred()
        speaker.outbox.put(message)
        await speaker.adapter.ping.ask()
        await bot.ping.ask()
        if not dispatcher.is_asking:
            waiting = DeferredList([self._asked, dispatcher.idle()], fireOnOneCallback=True)
            await self._within(ANSWER_TIMEOUT, waiting)
        await bot.ping.ask()
        for person in {speaker, self.you}:
            await person.adapter.ping.ask()

    def completions(self, line: str) -> list[str]:
        return complete(line, self.bot.dispatcher.responders, "xbot", "!")

    async def _become(self, jid: Jid) -> None:
        """Let the person with this address speak; an unknown one joins the room first."""
        name = jid.local or ""
        if jid.domain != YOU.domain or name == BOT.local:
            self.write(f"no person here can be {jid}; try /as bob\n")
            return
        if name not in self._people:
            if len(self._people) >= MAX_PEOPLE:
                self.write(f"{MAX_PEOPLE} people are here already: {', '.join(self._people)}\n")
                return
            person = Person(jid.with_resource("console"), self, self._got_message, self._reactor)
            self._people[name] = person
            person.adapter.start()
            await self._joined(person.adapter)
        self._current = self._people[name]

    async def _joined(self, adapter: Any) -> None:
        room = adapter.rooms.get(ROOM)
        assert room is not None
        await self._within(START_TIMEOUT, room.listening())

    def _within(self, seconds: float, waiting: Deferred[Any]) -> Deferred[Any]:
        return waiting.addTimeout(seconds, self._reactor)

    def _got_message(self, person: Person, message: Message) -> None:
        if message.delayed:
            return
        if message.is_public:
            # Everyone in the room gets it; one of them is enough.
            if person is self.you and (self._echoes or message.nick not in self._people):
                self.write(as_line(message.nick or message.sender, message.body))
        else:
            to = "" if person is self._current else f" to {person.name}"
            self.write(as_line(f"{message.nick or message.sender}{to}", message.body))
        is_bot = message.nick == BOT.local or message.sender == str(BOT)
        if is_bot and self.bot.dispatcher.is_asking and not self._asked.called:
            self._asked.callback(None)


def _gave_up(reason: str) -> None:
    # start() waits for the room; its time-out then ends the demo.
    Logger("xbot").critical("{reason}", reason=reason)
