"""``xbot shell``: use the responders of an ini in the terminal, without a server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from xbot import config
from xbot.chat.terminal.adapter import YOU, You
from xbot.cli import ini, speaker


def add_to(commands: Any) -> None:
    shell = commands.add_parser(
        "shell",
        help="talk to the responders of an ini: no server, no account",
        description="Loads the responders of an ini as the daemon does, and lets you talk to them"
        " in this terminal, in private or in a room. Their effects are real: programs run. A"
        " running bot is not affected: journal and brain are in a temporary folder, or in the"
        " one that --state names. With input from a pipe each line is sent, its answers are"
        " printed, and the shell ends.",
    )
    ini.add_to(shell)
    speaker.add_to(shell, YOU)
    shell.add_argument(
        "--state",
        type=Path,
        metavar="FOLDER",
        help="a permanent folder for journal and brain; not the one of a running bot",
    )
    shell.add_argument(
        "--verbose", action="store_true", help="print the whole log to standard error"
    )
    shell.set_defaults(command=_shell)


def _shell(options: argparse.Namespace) -> int:
    from xbot.app.shell import run

    try:
        you = You(**speaker.speaker_of(options))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    settings = config.load(ini.path_of(options), connects=False)
    return run(settings, you, options.state, verbose=options.verbose)
