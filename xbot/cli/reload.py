"""``xbot reload``: have the running bot read its ini again, and print why it refuses."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from xbot.cli import state
from xbot.cli.say import EXIT_UNAVAILABLE
from xbot.control.client import NotRunning, ask_for
from xbot.control.protocol import Result
from xbot.model.errors import EXIT_CONFIG

#: Maximum wait for the bot, in seconds: responders may take their time to stop and start.
PATIENCE = 120.0


def add_to(commands: Any) -> None:
    """Add the subcommand and its options."""
    reload = commands.add_parser(
        "reload",
        help="have the running bot read its ini again",
        description="Has the running bot read its ini, the code of its responders and its TLS files"
        " again, and waits until that is done. If there is a mistake, nothing changes. Exits with"
        f" 0 when the ini is in force, with {EXIT_CONFIG} when it was refused, and with"
        f" {EXIT_UNAVAILABLE} when no bot answers. Run it as the bot's user or as root.",
    )
    state.add_to(reload)
    reload.set_defaults(command=_reload)


def _reload(options: argparse.Namespace) -> int:
    place = state.place_of(options)
    try:
        # Whatever the account: the ini may name another one by now.
        reply = ask_for("reload", place.folder, None, PATIENCE)
    except NotRunning as error:
        print(f"{error}; {state.HINT}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    if reply.result is Result.DONE:
        return 0
    print(f"reload refused: {reply.reason}", file=sys.stderr)
    return EXIT_CONFIG if reply.result is Result.REFUSED else EXIT_UNAVAILABLE
