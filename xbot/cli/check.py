"""``xbot check``: validate an ini, and print a summary or the changes of a reload."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from xbot import config
from xbot.config.describe import describe
from xbot.config.reload_plan import plan
from xbot.engine.loading.finding import offered
from xbot.model.errors import EXIT_CONFIG


def add_to(commands: Any) -> None:
    check = commands.add_parser(
        "check",
        help="validate an ini, and print what it would join and load",
        description="Reads the ini as the daemon does, loads its responders, and connects to"
        f" nothing. Exits with 0, or with {EXIT_CONFIG} when the ini is invalid. Prints warnings"
        " about probable mistakes (commands that cannot be reached, patterns that may be slow,"
        " rooms that the bot is never in).",
    )
    check.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        type=Path,
        help="the ini (default: the one the daemon would read)",
    )
    check.add_argument(
        "--against",
        type=Path,
        metavar="OTHER",
        help="print instead what a reload from the ini OTHER to FILE would change",
    )
    check.set_defaults(command=_check)


def _check(options: argparse.Namespace) -> int:
    from twisted.internet import reactor

    from xbot.app.service import BotService

    loaded = config.load(options.file or config.find(), obeys=False)
    # As the daemon does, but without connecting.
    service = BotService(loaded, reactor, lambda reason: None)
    for remark in service.remarks():
        print(f"warning: {remark}", file=sys.stderr)
    other = config.load(options.against, obeys=False) if options.against else None
    if other is not None:
        change = plan(other, loaded)
        print(f"reload: {change}", *change.details(), sep="\n")
    else:
        print(describe(loaded), end="")
        used = {responder.use for responder in loaded.responders}
        for offer in offered():
            if (use := f"entry-point:{offer.name}") not in used:
                print(f"  {use} is installed, and not used: {offer.value}")
    return 0
