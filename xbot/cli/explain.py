"""``xbot explain``: which responder would answer a text, and why the others would not."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from xbot.cli import ini, speaker
from xbot.model.errors import EXIT_CONFIG
from xbot.text.terminal import safe


def add_to(commands: Any) -> None:
    explain = commands.add_parser(
        "explain",
        help="explain which responder would answer a text, and why the others would not",
        description="Prints which responder would answer TEXT, whether its sender may use it,"
        " what happens before it runs, and why the others would not answer. Reads the ini and"
        " loads its responders as the daemon does; runs nothing and connects to nothing. Exits"
        " with 0, with 1 when no responder would answer, and with"
        f" {EXIT_CONFIG} when the ini is invalid.",
    )
    explain.add_argument("text", nargs="+", metavar="TEXT", help="the text of the message")
    speaker.add_to(explain, None)
    explain.add_argument(
        "--private", action="store_true", help="as a private message through the room"
    )
    explain.add_argument("--json", action="store_true", help="print one JSON object")
    ini.add_to(explain)
    explain.set_defaults(command=_explain)


def _explain(options: argparse.Namespace) -> int:
    from xbot.testing.bot import Bot

    bot = Bot.from_ini(ini.path_of(options), limits=True, starts=False)
    try:
        who = speaker.speaker_of(options)
        explanation = bot.explain(" ".join(options.text), private=options.private, **who)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(explanation.as_json(), ensure_ascii=False))
    else:
        print(safe(str(explanation)))
    return 0 if explanation.answering else 1
