"""``xbot explain``: who would answer a text, and why the others would not."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from xbot.cli import ini
from xbot.errors import EXIT_CONFIG
from xbot.terminal import safe


def add_to(commands: Any) -> None:
    """The command and its options."""
    explain = commands.add_parser(
        "explain",
        help="say who would answer a text, and why the others would not",
        description="Says which responder would answer TEXT, whether whoever says it may use it,"
        " what comes before it runs, and why the others would not answer. Reads the ini and loads"
        " its responders as the daemon does; runs nothing and connects to nothing. Exits with 0,"
        f" with 1 when nobody would answer, and with {EXIT_CONFIG} when the ini cannot be used.",
    )
    explain.add_argument("text", metavar="TEXT", help="what is said")
    explain.add_argument(
        "--as", dest="jid", metavar="JID", help="who says it: the real address (default: unknown)"
    )
    explain.add_argument("--room", metavar="JID", help="where (default: to the bot alone)")
    explain.add_argument("--nick", help="what whoever says it is called in the room")
    explain.add_argument(
        "--affiliation",
        choices=("owner", "admin", "member", "none"),
        default="none",
        help="what they are in the room",
    )
    explain.add_argument(
        "--private", action="store_true", help="through the room, to the bot alone"
    )
    explain.add_argument("--json", action="store_true", help="as one JSON object")
    ini.add_to(explain)
    explain.set_defaults(command=_explain)


def _explain(options: argparse.Namespace) -> int:
    from xbot.testing.bot import Bot

    bot = Bot.from_ini(ini.path_of(options), limits=True, starts=False)
    try:
        explanation = bot.explain(
            options.text,
            options.jid,
            room=options.room,
            nick=options.nick or ("somebody" if options.room and not options.jid else None),
            affiliation=options.affiliation,
            private=options.private,
        )
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(explanation.as_json(), ensure_ascii=False))
    else:
        print(safe(str(explanation)))
    return 0 if explanation.answering else 1
