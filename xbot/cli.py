"""The ``xbot`` command: ``check``, ``demo``, ``journal``, ``brain``; not the daemon (twistd)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xbot import __version__, config
from xbot.brain import portable
from xbot.brain.errors import BrainFull, BrainUnavailable, UnusableBrain
from xbot.brain.file import FILE_NAME as BRAIN_NAME
from xbot.brain.file import read_content
from xbot.brain.lasting import clocks
from xbot.brain.portable import InvalidExport
from xbot.config.describe import describe
from xbot.durable.file import BrokenFile
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
    _add_brain(commands)
    return parser


def _add_brain(commands: Any) -> None:
    brain = commands.add_parser("brain", help="export what responders remember, or import it")
    deeds = brain.add_subparsers(metavar="DEED", required=True)
    exporting = deeds.add_parser(
        "export",
        help="print all of it as JSON",
        description="Prints what responders remember as JSON, by responder, with the time at which"
        " it expires. It reads the file alone and changes nothing, so the daemon may be running;"
        " what it remembered in the last second may be missing then.",
    )
    exporting.set_defaults(command=_export)
    importing = deeds.add_parser(
        "import",
        help="take in what was exported",
        description="Takes in what export has printed. What is remembered under the same keys is"
        " replaced, all else stays. Everything is checked first: with a mistake in it, or without"
        " room for all of it, nothing is changed. Stop the daemon before.",
    )
    importing.add_argument("file", type=Path, help="the JSON")
    importing.set_defaults(command=_import)
    for deed in (exporting, importing):
        where = deed.add_mutually_exclusive_group()
        where.add_argument(
            "--config", type=Path, help="the ini (default: the one the daemon would read)"
        )
        where.add_argument("--state", type=Path, help="the state folder, without any ini")


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
        entries = read_entries(_state(options) / FILE_NAME, options.n)
    except InvalidConfig as invalid:
        for problem in invalid.problems:
            print(problem, file=sys.stderr)
        return EXIT_CONFIG
    except JournalUnavailable as unavailable:
        print(unavailable, file=sys.stderr)
        return 1
    print(as_json(entries) if options.json else as_table(entries), end="")
    return 0


def _export(options: argparse.Namespace) -> int:
    try:
        content = read_content(_state(options) / BRAIN_NAME)
    except InvalidConfig as invalid:
        for problem in invalid.problems:
            print(problem, file=sys.stderr)
        return EXIT_CONFIG
    except BrainUnavailable as unavailable:
        print(unavailable, file=sys.stderr)
        return 1
    print(portable.as_json(content, clocks()), end="")
    return 0


def _import(options: argparse.Namespace) -> int:
    try:
        path = _state(options) / BRAIN_NAME
        with options.file.open("rb") as file:
            data = file.read(portable.MAX_SIZE + 1)
        if len(data) > portable.MAX_SIZE:
            raise InvalidExport([f"it is longer than {portable.MAX_SIZE} bytes"])
        done = portable.import_into(path, portable.parse(data), clocks())
    except InvalidConfig as invalid:
        for problem in invalid.problems:
            print(problem, file=sys.stderr)
        return EXIT_CONFIG
    except InvalidExport as invalid:
        for told in invalid.problems:
            print(f"{options.file}: {told}", file=sys.stderr)
        print("nothing was changed", file=sys.stderr)
        return 1
    except (OSError, BrainUnavailable, UnusableBrain, BrainFull, BrokenFile) as error:
        print(f"{error}; nothing was changed", file=sys.stderr)
        return 1
    print(done)
    return 0


def _state(options: argparse.Namespace) -> Path:
    """The state folder, as it was named or as the ini says."""
    state = options.state or config.load(options.config or config.find()).bot.state
    assert isinstance(state, Path)
    return state
