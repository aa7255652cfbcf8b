"""``xbot shell``: talk to the bot of an ini in a terminal, without a server."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList

from xbot.app import console
from xbot.app.assembly import Assembly
from xbot.app.console import CannotTalk, complete, converse, own_folder
from xbot.app.resources import Resources
from xbot.app.state_folder import distrusted
from xbot.chat.terminal.adapter import ShellAdapter, You
from xbot.chat.terminal.speaker import switched_to
from xbot.config.settings import Config
from xbot.model.errors import InvalidConfig, Problem
from xbot.model.file_state import UnusableFile
from xbot.model.jid import Jid
from xbot.model.message import Message
from xbot.process.file_trust import trusted_users
from xbot.text.terminal import as_line, safe

#: Seconds that one line from a pipe has to be answered.
ANSWER_TIMEOUT = 300.0

HISTORY = "shell-history"

WELCOME = """\
You are {jid}{where}, talking to {name}. Nothing of this touches a bot that runs: {state}.
What responders do, they do. Try: help (Tab completes, /as bob makes you bob, Ctrl-D ends)
"""


def run(settings: Config, you: You, kept: Path | None, *, verbose: bool = False) -> int:
    """Run the shell on standard input and output until end of input; return the exit status.

    Journal and brain are in the folder ``kept``, or, if it is None, in a temporary folder.
    """
    if kept and (reasons := distrusted(kept, trusted_users())):
        raise InvalidConfig([Problem(kept, 0, "", "", reason) for reason in reasons])

    async def talk(reactor: Any) -> None:
        with ExitStack() as stack:
            state = kept or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            shell = Shell(reactor, settings, you, state)
            fate = f"stays in {kept}" if kept else "is forgotten in the end"
            await shell.start()
            try:
                welcome = shell.welcome(f"what is remembered {fate}")
                await converse(shell, reactor, welcome, (kept or own_folder()) / HISTORY)
            finally:
                await shell.stop()

    try:
        console.run(talk, verbose=verbose)
    except (UnusableFile, CannotTalk) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


class Shell:
    """The bot of an ini with the user ``you``. Its messages go to ``write``, in whole lines."""

    def __init__(self, reactor: Any, settings: Config, you: You, state: Path) -> None:
        self.write: Callable[[str], object] = console.write
        # Fires when the bot asks the user a question.
        self._asked: Deferred[None] = Deferred()
        self._name = settings.bot.name
        self._domain = Jid.parse(you.sender).domain
        self._prefix = settings.bot.prefix
        self._reactor = reactor
        self._resources = Resources(reactor, state)
        self._assembly = Assembly(
            settings.without_rates(),
            reactor,
            in_thread=self._resources.in_thread,
            brain=self._resources.brain,
            make_journal=self._resources.make_journal,
            worker=self._resources.guarded_search,
        )
        self._adapter = ShellAdapter(
            self._assembly.dispatcher.got_message,
            self._assembly.outbox,
            self._show,
            you=you,
            address=str(settings.xmpp.jid),
            nick=self._name,
            rooms=settings.rooms,
        )
        self._assembly.adapter = self._adapter

    @property
    def you(self) -> You:
        """The person as whom the user speaks."""
        return self._adapter.you

    @property
    def speaker(self) -> str:
        """The person's nick, or the local part of their JID."""
        return self.you.nick or self.you.sender.partition("@")[0]

    def welcome(self, state: str) -> str:
        """The greeting at a terminal; ``state`` says what becomes of journal and brain."""
        where = f" in {self.you.room}" if self.you.room else ""
        return safe(WELCOME.format(jid=self.you.sender, where=where, name=self._name, state=state))

    async def start(self) -> None:
        await self._assembly.start()

    async def stop(self) -> None:
        """End the runs under way, and close the state files."""
        self._resources.guarded_search.stop()
        await self._assembly.stop()
        if not await self._resources.wind_down():
            sys.stderr.write("a program did not end in time\n")

    async def say(self, text: str) -> None:
        """Send ``text`` to the bot; returns once it has answered or asked a question.

        ``/as NAME`` is not sent: it switches to another person.
        """
        try:
            jid = switched_to(text, self._domain)
            if jid is not None:
                self._adapter.become(jid)
        except ValueError as error:
            self.write(f"{error}\n")
            return
        if jid is not None:
            return
        decided = self._adapter.say(text)
        if decided is not None:
            await decided
        dispatcher = self._assembly.dispatcher
        if dispatcher.is_asking:
            # The next line is the answer.
            return
        self._asked = Deferred()
        waiting = DeferredList([self._asked, dispatcher.idle()], fireOnOneCallback=True)
        await waiting.addTimeout(ANSWER_TIMEOUT, self._reactor)

    def completions(self, line: str) -> list[str]:
        return complete(line, self._assembly.responders, self._name, self._prefix)

    def _show(self, message: Message) -> None:
        here = {self.you.sender, self.you.room}
        elsewhere = "" if message.recipient in here else f" to {message.recipient}"
        self.write(as_line(f"{self._name}{elsewhere}", message.body))
        if self._assembly.dispatcher.is_asking and not self._asked.called:
            self._asked.callback(None)
