"""``xbot say``: send a text to a room or person through the running bot, for scripts."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from xbot.cli import state
from xbot.control.client import NotRunning, ask
from xbot.control.protocol import MAX_TEXT, MAX_TIMEOUT, BadRequest, Request, Result
from xbot.text import durations

#: Exit statuses of sysexits.h: refused (EX_DATAERR), no bot answers (EX_UNAVAILABLE), queued
#: for later (EX_TEMPFAIL).
EXIT_REFUSED, EXIT_UNAVAILABLE, EXIT_QUEUED = 65, 69, 75


def add_to(commands: Any) -> None:
    say = commands.add_parser(
        "say",
        help="send a text to a room or person, through the running bot",
        description="Sends a text to a room of the running bot, or to a person whom may-write-to in"
        " [xbot] names, and waits until the server has it. Exits with 0 then; with"
        f" {EXIT_QUEUED} when the text is queued and will be sent later; with {EXIT_REFUSED} when"
        f" it was refused or came back; with {EXIT_UNAVAILABLE} when no bot answers. Run it as the"
        " bot's user or as root.",
    )
    say.add_argument("to", metavar="TO", help="the JID of the room or person")
    say.add_argument(
        "text",
        metavar="TEXT",
        nargs="?",
        help="the text (default: read it from standard input)",
    )
    say.add_argument(
        "--timeout",
        type=_timeout,
        default=10.0,
        metavar="TIME",
        help="how long to wait for the server (default: 10s)",
    )
    state.add_to(say)
    say.set_defaults(command=_say)


def _timeout(text: str) -> float:
    try:
        return durations.seconds(text, MAX_TIMEOUT)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _say(options: argparse.Namespace) -> int:
    place = state.place_of(options)
    text = options.text
    if text is None:
        data = sys.stdin.buffer.read(4 * MAX_TEXT + 1)
        text = data.decode("utf-8", "replace").removesuffix("\n")
    try:
        request = Request.of(options.to, text, options.timeout, account=place.account)
        reply = ask(place.folder, request)
    except BadRequest as bad:
        return _fail(str(bad), EXIT_REFUSED)
    except NotRunning as error:
        return _fail(f"{error}; {state.HINT}", EXIT_UNAVAILABLE)
    if reply.result is Result.DELIVERED:
        return 0
    if reply.result is Result.QUEUED:
        return _fail(f"not said yet: {reply.reason}; it will be as soon as it can", EXIT_QUEUED)
    if reply.result is Result.REFUSED:
        return _fail(f"not said: {reply.reason}", EXIT_REFUSED)
    return _fail(f"it is not known whether it was said: {reply.reason}", EXIT_UNAVAILABLE)


def _fail(reason: str, status: int) -> int:
    print(f"xbot say: {reason}", file=sys.stderr)
    return status
