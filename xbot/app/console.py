"""Console: a conversation on standard input and output, for ``xbot demo`` and ``xbot shell``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.protocol import connectionDone
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from xbot.chat.terminal.completion import completions
from xbot.matching.addressed import addressed_text
from xbot.runtime.responder import Responder

#: Maximum number of input lines queued before reading pauses (back-pressure).
MAX_WAITING = 100


class Talk(Protocol):
    """A conversation: lines go to ``say``, whole lines come through ``write``.

    ``speaker`` is the name of the person who speaks.
    """

    write: Callable[[str], object]

    @property
    def speaker(self) -> str: ...

    async def say(self, text: str) -> None:
        """Say ``text`` to the bot; returns once its answers are written."""

    def completions(self, line: str) -> list[str]: ...


class CannotTalk(Exception):
    """The conversation did not start, or a line was not answered in time."""


def run(talk: Callable[[Any], Coroutine[Any, Any, None]], *, verbose: bool) -> None:
    """Run ``talk(reactor)`` in the reactor until it ends or is interrupted; raises its exception.

    Standard error gets the log: errors, or, if ``verbose``, everything.
    """
    log_to_stderr(verbose=verbose)
    failures: list[Exception] = []

    async def watched(reactor: Any) -> None:
        try:
            await talk(reactor)
        except CancelledError:
            pass  # Interrupted.
        except Exception as error:
            failures.append(error)

    def main(reactor: Any) -> Deferred[None]:
        talking = Deferred.fromCoroutine(watched(reactor))

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
            raise
    for failure in failures:
        raise failure


def log_to_stderr(*, verbose: bool) -> None:
    """Begin to log to standard error: errors, or, if ``verbose``, everything."""
    predicate = LogLevelFilterPredicate(LogLevel.debug if verbose else LogLevel.error)
    observer = FilteringLogObserver(textFileLogObserver(sys.stderr), [predicate])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)


def is_terminal() -> bool:
    """Whether a person types and reads: standard input and output are a terminal."""
    return os.isatty(0) and os.isatty(1)


async def converse(talk: Talk, reactor: Any, welcome: str, history: Path) -> None:
    """Have the user talk until the end of the input.

    At a terminal, after ``welcome``, with line editing, completion and a ``history`` file;
    from a pipe line by line.

    :raises CannotTalk: when a line from a pipe was not answered.
    """
    if is_terminal():
        await _at_terminal(talk, reactor, welcome, history)
        return
    console = Console(talk.say)
    StandardIO(console, reactor=reactor)
    if not await console.closed:
        raise CannotTalk("not everything was answered")


async def _at_terminal(talk: Talk, reactor: Any, welcome: str, history: Path) -> None:
    # Imported here: not every Python has readline, and only this function needs it.
    from xbot.chat.terminal.prompt import Prompt

    def say(line: str) -> Deferred[None]:
        return Deferred.fromCoroutine(talk.say(line)).addErrback(_tell)

    def _tell(failure: Failure) -> None:
        prompt.show(f"{not_answered(failure)}\n")

    prompt = Prompt(reactor, lambda: f"{talk.speaker}> ", history, talk.completions, say)
    talk.write = prompt.show
    sys.stdout.write(welcome)
    closed = prompt.run()
    try:
        await closed
    finally:
        prompt.stop()
        sys.stdout.write("\n")


def own_folder() -> Path:
    """The folder of history files if no state folder is given."""
    base = os.environ.get("XDG_STATE_HOME")
    return Path(base) / "xbot" if base else Path.home() / ".local/state/xbot"


def write(text: str) -> None:
    """Write whole lines to standard output at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def complete(line: str, responders: Iterable[Responder], name: str, prefix: str) -> list[str]:
    """The completions of ``line`` by the commands of ``responders``, addressed or not."""
    usages = [
        route.usage
        for responder in responders
        for route in responder.routes
        if route.kind == "match"
    ]
    said = addressed_text(line, (name,), prefix)
    begun = line if said is None else said
    before = line[: len(line) - len(begun)] if line.endswith(begun) else ""
    return [before + each for each in completions(begun, usages)]


def not_answered(failure: Failure) -> str:
    """Why a line was not answered, in words."""
    return f"no answer: {failure.getErrorMessage() or type(failure.value).__name__}"


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
        sys.stderr.write(f"{not_answered(failure)}\n")
