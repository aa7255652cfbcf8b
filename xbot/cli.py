"""The ``xbot`` command: ``check`` and ``demo``. The daemon itself is ``twistd -n xbot``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from xbot import __version__, config
from xbot.check import describe
from xbot.errors import EXIT_CONFIG, InvalidConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    options = _parser().parse_args(arguments)
    status: int = options.command(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xbot",
        description="Companion of the chat-bot daemon; the daemon itself is run by: twistd -n xbot",
    )
    parser.add_argument("--version", action="version", version=f"xbot {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    check = commands.add_parser(
        "check",
        help="say what is wrong with an ini, or what it would join and load",
        description="Reads the ini as the daemon does, loads its responders, and connects to"
        f" nothing. Exits with 0, or with {EXIT_CONFIG} when something is wrong with it.",
    )
    check.add_argument(
        "file", nargs="?", type=Path, help="the ini (default: the one the daemon would read)"
    )
    check.set_defaults(command=_check)
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
    return parser


def _check(options: argparse.Namespace) -> int:
    from twisted.internet import reactor

    from xbot.service import BotService

    try:
        loaded = config.load(options.file or config.find())
        # What the daemon would do, up to connecting.
        BotService(loaded, reactor, lambda reason: None)
    except InvalidConfig as invalid:
        for problem in invalid.problems:
            print(problem, file=sys.stderr)
        return EXIT_CONFIG
    print(describe(loaded), end="")
    return 0


def _demo(options: argparse.Namespace) -> int:
    from xbot.demo import run

    return run(verbose=options.verbose)
