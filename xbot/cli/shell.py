"""``xbot shell``: talk to the responders of an ini, without a server."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from xbot import config
from xbot.cli import ini
from xbot.jid import Jid
from xbot.shell.adapter import You


def add_to(commands: Any) -> None:
    """The command and its options."""
    shell = commands.add_parser(
        "shell",
        help="talk to the responders of an ini: no server, no account",
        description="Loads the responders of an ini as the daemon does, and lets you talk to them"
        " in this terminal, alone with the bot or in a room. What they do, they do: programs run."
        " A bot that runs is not touched: journal and brain are in a folder that is removed in the"
        " end, or in the one that --state names. With input from a pipe each line is said, its"
        " answers are printed, and the shell ends.",
    )
    ini.add_to(shell)
    shell.add_argument(
        "--as",
        dest="jid",
        type=_jid,
        default=You().jid,
        metavar="JID",
        help=f"who you are: your real address (default: {You().jid})",
    )
    shell.add_argument(
        "--room", type=_jid, metavar="JID", help="talk in this room (default: to the bot alone)"
    )
    shell.add_argument("--nick", help="what you are called in the room")
    shell.add_argument(
        "--affiliation",
        choices=("owner", "admin", "member", "none"),
        default="none",
        help="what you are in the room",
    )
    shell.add_argument(
        "--state",
        type=Path,
        help="a folder for journal and brain that stays; not that of a bot that runs",
    )
    shell.add_argument(
        "--verbose", action="store_true", help="print the whole log to standard error"
    )
    shell.set_defaults(command=_shell)


def _jid(text: str) -> str:
    jid = Jid.parse(text)
    if jid.local is None:
        raise ValueError
    return str(jid)


def _shell(options: argparse.Namespace) -> int:
    from xbot.talk import run

    settings = config.load(ini.path_of(options), connects=False)
    you = You(options.jid, options.room, options.nick, options.affiliation)
    return run(settings, you, options.state, verbose=options.verbose)
