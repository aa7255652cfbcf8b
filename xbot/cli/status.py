"""``xbot status``: print the status of the running bot in one line."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from xbot.cli import state
from xbot.cli.say import EXIT_QUEUED, EXIT_UNAVAILABLE
from xbot.control.client import NotRunning, ask_for
from xbot.control.protocol import Result


def add_to(commands: Any) -> None:
    status = commands.add_parser(
        "status",
        help="print the status of the running bot",
        description="Prints the status of the running bot in one line. Exits with 0 when it is"
        f" logged in and in all rooms of its ini, with {EXIT_QUEUED} when it is not, and with"
        f" {EXIT_UNAVAILABLE} when no bot answers. Run it as the bot's user or as root.",
    )
    state.add_to(status)
    status.set_defaults(command=_status)


def _status(options: argparse.Namespace) -> int:
    try:
        place = state.place_of(options)
        reply = ask_for("status", place.folder, place.account)
    except NotRunning as error:
        print(f"{error}; {state.HINT}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    if options.state is None:
        print(f"state folder: {place.folder}", file=sys.stderr)
    if reply.result in (Result.LOST, Result.REFUSED):
        print(reply.reason, file=sys.stderr)
        return EXIT_UNAVAILABLE
    print(reply.reason)
    return 0 if reply.result is Result.READY else EXIT_QUEUED
