"""Readline prompt: history, tab completion, and output that does not disturb the input line."""

from __future__ import annotations

import os
import readline
import sys
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

#: Maximum number of lines in the history file.
MAX_HISTORY = 1000

#: Seconds to wait for an answer before the next prompt is shown.
PATIENCE = 2.0

_CLEAR_LINE = "\r\x1b[K"


class Prompt:
    """Reads lines from the terminal, in a thread of its own because ``readline`` blocks.

    ``say(line)`` sends a line to the bot; the next line is read when its Deferred
    has fired, or after :data:`PATIENCE`. ``complete(line)`` returns the possible
    completions of a line, and ``prompt()`` the text before the next one.
    """

    def __init__(
        self,
        reactor: Any,
        prompt: Callable[[], str],
        history: Path,
        complete: Callable[[str], list[str]],
        say: Callable[[str], Deferred[None]],
    ) -> None:
        self._reactor = reactor
        self._prompt = prompt
        self._shown = ""
        self._history = history
        self._complete = complete
        self._say = say
        self._is_reading = False
        self._is_over = False

    def run(self) -> Deferred[None]:
        """Start reading; the Deferred fires at the end of the input (Ctrl-D)."""
        closed: Deferred[None] = Deferred()
        self._terminal = termios.tcgetattr(sys.stdin)
        with suppress(OSError):
            readline.read_history_file(self._history)
        readline.set_history_length(MAX_HISTORY)
        readline.set_completer_delims("")
        readline.set_completer(self._completed)
        readline.parse_and_bind("tab: complete")
        threading.Thread(target=self._read, args=(closed,), daemon=True).start()
        return closed

    def stop(self) -> None:
        """Write the history file and restore the terminal's settings."""
        self._is_over = True
        with suppress(OSError):
            self._history.parent.mkdir(parents=True, exist_ok=True)
            # Created with 0600: other users must not read the history.
            os.close(os.open(self._history, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
            readline.write_history_file(self._history)
        termios.tcsetattr(sys.stdin, termios.TCSANOW, self._terminal)

    def show(self, text: str) -> None:
        """Print whole lines above the prompt; the unfinished input line is drawn again below."""
        if self._is_reading:
            text = f"{_CLEAR_LINE}{text}{self._shown}{readline.get_line_buffer()}"
        sys.stdout.write(text)
        sys.stdout.flush()

    def _read(self, closed: Deferred[None]) -> None:
        while not self._is_over:
            self._shown = self._prompt()
            self._is_reading = True
            try:
                line = input(self._shown)
            except EOFError:
                break
            finally:
                self._is_reading = False
            if line.strip():
                said = threading.Event()
                self._reactor.callFromThread(self._got_line, line, said.set)
                said.wait()
        self._reactor.callFromThread(closed.callback, None)

    def _got_line(self, line: str, read_next: Callable[[], None]) -> None:
        timeout = self._reactor.callLater(PATIENCE, read_next)

        def answered(_: object) -> None:
            if timeout.active():
                timeout.cancel()
                read_next()

        self._say(line).addBoth(answered)

    def _completed(self, line: str, number: int) -> str | None:
        found = self._complete(line)
        return found[number] if number < len(found) else None
