"""``xbot shell``: talk to the bot of an ini in a terminal, without a server."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react

from xbot.app.assembly import Assembly
from xbot.app.demo import Console, log_to_stderr
from xbot.app.resources import Resources
from xbot.app.state_folder import distrusted
from xbot.chat.terminal.adapter import ShellAdapter, You
from xbot.chat.terminal.completion import completions
from xbot.config.settings import Config
from xbot.matching.addressed import addressed_text
from xbot.model.errors import InvalidConfig, Problem
from xbot.model.file_state import UnusableFile
from xbot.model.message import Message
from xbot.process.file_trust import trusted_users
from xbot.text.terminal import as_line, safe

#: Seconds that one line from a pipe has to be answered.
ANSWER_TIMEOUT = 300.0

HISTORY = "shell-history"

WELCOME = """\
You are {jid}{where}, talking to {name}. Nothing of this touches a bot that runs: {state}.
What responders do, they do. Try: help (Tab completes, Ctrl-D ends)
"""


def run(settings: Config, you: You, kept: Path | None, *, verbose: bool = False) -> int:
    """Run the shell on standard input and output until end of input; return the exit status.

    Journal and brain are in the folder ``kept``, or, if it is None, in a temporary folder.
    """
    log_to_stderr(verbose=verbose)
    failures: list[BaseException] = []
    if kept and (reasons := distrusted(kept, trusted_users())):
        raise InvalidConfig([Problem(kept, 0, "", "", reason) for reason in reasons])

    async def talk(reactor: Any) -> None:
        try:
            with ExitStack() as stack:
                state = kept or Path(stack.enter_context(tempfile.TemporaryDirectory()))
                await _talk(Shell(reactor, settings, you, state), reactor, kept)
        except CancelledError:
            pass  # Interrupted.
        except Exception as error:
            failures.append(error)

    def main(reactor: Any) -> Deferred[None]:
        talking = Deferred.fromCoroutine(talk(reactor))

        def interrupt() -> Deferred[None]:
            # Without this the terminal would keep the settings of readline.
            talking.cancel()
            return talking

        reactor.addSystemEventTrigger("before", "shutdown", interrupt)
        return talking

    try:
        react(main)
    except SystemExit as ended:
        if ended.code:
            return int(ended.code)
    for failure in failures:
        if isinstance(failure, UnusableFile | NotAnsweredInTime):
            sys.stderr.write(f"{failure}\n")
            return 1
        raise failure
    return 0


class NotAnsweredInTime(Exception):
    """A line from the input was not answered in time."""


async def _talk(shell: Shell, reactor: Any, kept: Path | None) -> None:
    """Run ``shell`` on standard input and output until the end of the input."""
    await shell.start()
    try:
        if os.isatty(0) and os.isatty(1):
            await _talk_at_terminal(shell, reactor, kept)
            return
        console = Console(shell.say)
        StandardIO(console, reactor=reactor)
        if not await console.closed:
            raise NotAnsweredInTime("not everything was answered")
    finally:
        await shell.stop()


async def _talk_at_terminal(shell: Shell, reactor: Any, kept: Path | None) -> None:
    # Imported here: not every Python has readline, and only this function needs it.
    from xbot.chat.terminal.prompt import Prompt

    def say(line: str) -> Deferred[None]:
        return Deferred.fromCoroutine(shell.say(line))

    prompt = Prompt(
        reactor, f"{shell.you_are}> ", (kept or _own_folder()) / HISTORY, shell.completions, say
    )
    shell.write = prompt.show
    fate = f"stays in {kept}" if kept else "is forgotten in the end"
    sys.stdout.write(shell.welcome(f"what is remembered {fate}"))
    closed = prompt.run()
    try:
        await closed
    finally:
        prompt.stop()
        sys.stdout.write("\n")


def _own_folder() -> Path:
    """The folder of the history file if no state folder is given."""
    base = os.environ.get("XDG_STATE_HOME")
    return Path(base) / "xbot" if base else Path.home() / ".local/state/xbot"


class Shell:
    """The bot of an ini with the user ``you``. Its messages go to ``write``, in whole lines."""

    def __init__(self, reactor: Any, settings: Config, you: You, state: Path) -> None:
        self.you = you
        self.write = self._write
        # Fires when the bot asks the user a question.
        self._asked: Deferred[None] = Deferred()
        self._name = settings.bot.name
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
    def you_are(self) -> str:
        """The user's nick, or the local part of their JID."""
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
        """Send ``text`` to the bot; returns once it has answered or asked a question."""
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
        usages = [
            route.usage
            for responder in self._assembly.responders
            for route in responder.routes
            if route.kind == "match"
        ]
        said = addressed_text(line, (self._name,), self._prefix)
        begun = line if said is None else said
        before = line[: len(line) - len(begun)] if line.endswith(begun) else ""
        return [before + each for each in completions(begun, usages)]

    def _show(self, message: Message) -> None:
        here = {self.you.sender, self.you.room}
        elsewhere = "" if message.recipient in here else f" to {message.recipient}"
        self.write(as_line(f"{self._name}{elsewhere}", message.body))
        if self._assembly.dispatcher.is_asking and not self._asked.called:
            self._asked.callback(None)

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
