"""``xbot COMMAND``: the argument parser and entry point."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from xbot import __version__
from xbot.cli import (
    backup,
    brain,
    check,
    demo,
    explain,
    journal,
    output,
    reload,
    say,
    shell,
    status,
    test,
)
from xbot.model.errors import EXIT_CONFIG, InvalidConfig

#: In the order in which ``--help`` lists them.
COMMANDS = (check, explain, test, shell, demo, say, journal, brain, backup, status, reload)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    with output.guarded():
        options = parser().parse_args(arguments)
        try:
            status: int = options.command(options)
        except InvalidConfig as invalid:
            for problem in invalid.problems:
                print(problem, file=sys.stderr)
            return EXIT_CONFIG
        return status


def parser() -> argparse.ArgumentParser:
    """The argument parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="xbot",
        description="Companion of the chat-bot daemon; the daemon itself is run by: twistd -n xbot",
    )
    parser.add_argument("--version", action="version", version=f"xbot {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_to(commands)
    return parser
