"""Where a command finds the state folder: ``--config`` or ``--state``."""

from __future__ import annotations

import argparse
from pathlib import Path

from xbot import config
from xbot.cli import ini


def add_to(parser: argparse.ArgumentParser) -> None:
    """The two options, of which one at most can be given."""
    where = parser.add_mutually_exclusive_group()
    ini.add_to(where)
    where.add_argument(
        "--state", type=Path, metavar="FOLDER", help="the state folder, without any ini"
    )


def state_of(options: argparse.Namespace) -> Path:
    """The folder as it was named, or as the ini says.

    :raises xbot.model.errors.InvalidConfig: when the ini is none.
    """
    state = options.state or config.load(ini.path_of(options)).bot.state
    assert isinstance(state, Path)
    return state
