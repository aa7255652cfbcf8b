"""``xbot demo``: a bot, a server and you in this terminal."""

from __future__ import annotations

import argparse
from typing import Any


def add_to(commands: Any) -> None:
    """The command and its options."""
    demo = commands.add_parser(
        "demo",
        help="chat with a bot in this terminal: no server, no account",
        description="Starts a server for this machine alone, with a bot in a room, and joins you"
        " to it. What you type is said in the room; what is said there is printed. With input"
        " from a pipe each line is said, its answers printed, and the demo ends.",
    )
    demo.add_argument(
        "--verbose", action="store_true", help="print the daemon's log to standard error"
    )
    demo.set_defaults(command=_demo)


def _demo(options: argparse.Namespace) -> int:
    from xbot.app.demo import run

    return run(verbose=options.verbose)
