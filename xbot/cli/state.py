"""The options ``--config``, ``--instance`` and ``--state``: where the state folder is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from xbot.cli import ini
from xbot.config.places import StatePlace, of_instance, state_of

#: What to try when no bot answers.
HINT = "does it run, with this state folder (--instance, --state), and are you its user or root?"


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options, which exclude each other."""
    where = parser.add_mutually_exclusive_group()
    ini.add_to(where)
    where.add_argument(
        "--instance",
        metavar="NAME",
        help="the bot of the systemd unit xbot@NAME: its ini is /etc/xbot/NAME.ini",
    )
    where.add_argument(
        "--state", type=Path, metavar="FOLDER", help="the state folder, without any ini"
    )


def place_of(options: argparse.Namespace) -> StatePlace:
    """The state folder and the account: of ``--state``, ``--instance``, or the ini.

    No secret is needed.

    :raises xbot.model.errors.InvalidConfig: when the ini cannot be read.
    """
    if options.state is not None:
        return StatePlace(options.state)
    return state_of(of_instance(options.instance) if options.instance else ini.path_of(options))


def folder_of(options: argparse.Namespace) -> Path:
    """The state folder. It is told on standard error, unless the options name it.

    :raises xbot.model.errors.InvalidConfig: when the ini cannot be read.
    """
    folder = place_of(options).folder
    if options.state is None:
        print(f"state folder: {folder}", file=sys.stderr)
    return folder
