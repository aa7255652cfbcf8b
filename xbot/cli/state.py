"""The options ``--config`` and ``--state``: where a subcommand finds the state folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from xbot import config
from xbot.cli import ini


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the two options, which exclude each other."""
    where = parser.add_mutually_exclusive_group()
    ini.add_to(where)
    where.add_argument(
        "--state", type=Path, metavar="FOLDER", help="the state folder, without any ini"
    )


def state_of(options: argparse.Namespace) -> Path:
    """The state folder: ``--state``, or that of the ini.

    :raises xbot.model.errors.InvalidConfig: when the ini is invalid.
    """
    state = options.state or config.load(ini.path_of(options), obeys=False).bot.state
    assert isinstance(state, Path)
    return state
