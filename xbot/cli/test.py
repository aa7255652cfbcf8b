"""``xbot test``: play transcripts to the bot of an ini, and compare its answers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from xbot.cli import ini
from xbot.model.errors import EXIT_CONFIG


def add_to(commands: Any) -> None:
    test = commands.add_parser(
        "test",
        help="play transcripts to the bot of an ini",
        description="Plays conversations written in plain text (alice> xbot: ping, and below it"
        " xbot< pong) to the bot of an ini, without a server, and compares its answers. The"
        " effects of responders are real: programs run. Journal and brain are in memory, and time"
        " passes only where the transcript says so. Exits with 0, with 1 when an answer differs,"
        f" and with {EXIT_CONFIG} when the ini or a transcript is invalid.",
    )
    test.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a transcript")
    ini.add_to(test)
    test.set_defaults(command=_test)


def _test(options: argparse.Namespace) -> int:
    from xbot.testing.bot import Bot
    from xbot.testing.play import play
    from xbot.testing.report import as_text, summary, unfinished
    from xbot.testing.transcript import Step, read

    of_bot = ini.path_of(options)
    # Read all transcripts first: report errors in them before anything runs.
    transcripts = {path: read(path) for path in options.files}
    wrong = 0
    for path, scenes in transcripts.items():

        def got_unfinished(step: Step, names: list[str], path: Path = path) -> None:
            print(unfinished(path, step, names))

        def new_bot(limits: bool) -> Bot:
            return Bot.from_ini(of_bot, limits=limits)

        for difference in play(scenes, new_bot, got_unfinished):
            wrong += 1
            print(as_text(path, difference))
    print(summary(transcripts.values(), wrong))
    return 1 if wrong else 0
