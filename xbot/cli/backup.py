"""``xbot state``: back up the state folder into one file, and restore it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from xbot.cli import state


def add_to(commands: Any) -> None:
    """Add the subcommand and its options."""
    parser = commands.add_parser("state", help="back up the bot's state into a file, or restore it")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    backing = actions.add_parser(
        "backup",
        help="write a backup of the state folder",
        description="Writes journal, memory, waiting webhooks, rooms and login record into one new"
        " file of mode 600 (gzipped tar). The bot may be running: the copies are consistent. The"
        " ini, the responders and their secrets are not part of the state folder: back them up"
        " yourself.",
    )
    backing.set_defaults(command=_back_up)
    restoring = actions.add_parser(
        "restore",
        help="restore a backup into the state folder",
        description="Checks the whole backup, and puts its files into the state folder. Stop the"
        " bot first. Run it as the bot's user or as root.",
    )
    restoring.add_argument(
        "--replace",
        action="store_true",
        help="move a state that is there into a folder before-restore-TIME, and restore",
    )
    restoring.set_defaults(command=_restore)
    for action in (backing, restoring):
        action.add_argument("file", metavar="FILE", type=Path, help="the backup")
        state.add_to(action)


def _back_up(options: argparse.Namespace) -> int:
    from xbot.app.backup import BackupFailed, back_up

    try:
        kept = back_up(state.folder_of(options), options.file)
    except BackupFailed as failed:
        print(f"{failed}; no backup was made", file=sys.stderr)
        return 1
    for each in kept:
        print(f"{each.name}: {each.size:,} bytes")
    return 0


def _restore(options: argparse.Namespace) -> int:
    from xbot.app.backup import BackupFailed, restore

    try:
        kept, aside = restore(options.file, state.folder_of(options), replace=options.replace)
    except BackupFailed as failed:
        print(f"{failed}; nothing was restored", file=sys.stderr)
        return 1
    if aside is not None:
        print(f"the state before is in {aside}")
    print(f"restored {', '.join(each.name for each in kept)}")
    return 0
