"""The ``xbot`` command: ``check``, ``demo``, ``journal``. The daemon is ``twistd -n xbot``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from xbot import __version__, config
from xbot.config.describe import describe
from xbot.entry import JournalUnavailable
from xbot.errors import EXIT_CONFIG, InvalidConfig
from xbot.journal.file import FILE_NAME, read_entries
from xbot.journal.listing import as_json, as_table
from xbot.plan import plan


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
    check.add_argument(
        "--against",
        type=Path,
        metavar="OTHER",
        help="say instead what a bot that runs with the ini OTHER would change on a reload",
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
    journal = commands.add_parser(
        "journal",
        help="list the commands that ran, and what came of them",
        description="Lists the newest entries of the journal, the newest last. It reads the file"
        " alone and changes nothing, so the daemon may be running.",
    )
    where = journal.add_mutually_exclusive_group()
    where.add_argument(
        "--config", type=Path, help="the ini (default: the one the daemon would read)"
    )
    where.add_argument("--state", type=Path, help="the state folder, without any ini")
    journal.add_argument(
        "-n", type=_count, default=20, metavar="N", help="how many entries (default: 20)"
    )
    journal.add_argument("--json", action="store_true", help="one JSON object in each line")
    journal.set_defaults(command=_journal)
    return parser


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return min(count, 2**31)


def _check(options: argparse.Namespace) -> int:
    from twisted.internet import reactor

    from xbot.service import BotService

    try:
        loaded = config.load(options.file or config.find())
        # What the daemon would do, up to connecting.
        BotService(loaded, reactor, lambda reason: None)
        other = config.load(options.against) if options.against else None
    except InvalidConfig as invalid:
        for problem in invalid.problems:
            print(problem, file=sys.stderr)
        return EXIT_CONFIG
    if other is not None:
        change = plan(other, loaded)
        print(f"reload: {change}", *change.details(), sep="\n")
    else:
        print(describe(loaded), end="")
    return 0


def _demo(options: argparse.Namespace) -> int:
    from xbot.demo import run

    return run(verbose=options.verbose)


def _journal(options: argparse.Namespace) -> int:
    try:
        state = options.state or config.load(options.config or config.find()).bot.state
        entries = read_entries(state / FILE_NAME, options.n)
    except InvalidConfig as invalid:
        for problem in invalid.problems:
            print(problem, file=sys.stderr)
        return EXIT_CONFIG
    except JournalUnavailable as unavailable:
        print(unavailable, file=sys.stderr)
        return 1
    print(as_json(entries) if options.json else as_table(entries), end="")
    return 0
