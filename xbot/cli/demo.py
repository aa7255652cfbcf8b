"""``xbot demo``: chat with a bot on a loopback server, in the terminal."""

from __future__ import annotations

import argparse
from typing import Any


def add_to(commands: Any) -> None:
    demo = commands.add_parser(
        "demo",
        help="chat with a bot in this terminal: no server, no account",
        description="Starts a server on the loopback interface and a bot in a room, and joins you"
        " to the room. What you type is sent to the room; its messages are printed. With input"
        " from a pipe each line is sent, its answers are printed, and the demo ends.",
    )
    demo.add_argument(
        "--verbose", action="store_true", help="print the daemon's log to standard error"
    )
    demo.set_defaults(command=_demo)


def _demo(options: argparse.Namespace) -> int:
    from xbot.app.demo import run

    return run(verbose=options.verbose)
