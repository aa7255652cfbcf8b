"""``xbot journal``: list the newest journal entries."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from xbot.cli import state
from xbot.model.file_state import FileUnavailable
from xbot.state.journal.file import FILE_NAME, read_entries
from xbot.state.journal.listing import as_json, as_table


def add_to(commands: Any) -> None:
    journal = commands.add_parser(
        "journal",
        help="list the commands that ran, and their outcomes",
        description="Lists the newest entries of the journal, oldest first. It only reads the"
        " file, so the daemon may be running.",
    )
    state.add_to(journal)
    journal.add_argument(
        "-n", type=_count, default=20, metavar="N", help="how many entries (default: 20)"
    )
    journal.add_argument("--json", action="store_true", help="print one JSON object per line")
    journal.set_defaults(command=_journal)


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of entries: 1 or more")
    return min(count, 2**31)


def _journal(options: argparse.Namespace) -> int:
    try:
        entries = read_entries(state.folder_of(options) / FILE_NAME, options.n)
    except FileUnavailable as unavailable:
        print(unavailable, file=sys.stderr)
        return 1
    print(as_json(entries) if options.json else as_table(entries), end="")
    return 0
