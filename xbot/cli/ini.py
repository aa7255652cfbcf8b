"""The option ``--config``: which ini a subcommand reads."""

from __future__ import annotations

import argparse
from pathlib import Path

from xbot import config


def add_to(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the ini (default: the one the daemon would read)",
    )


def path_of(options: argparse.Namespace) -> Path:
    """The path of the ini: ``--config``, or the daemon's default.

    :raises xbot.model.errors.InvalidConfig: when there is no default ini.
    """
    path = options.config or config.find()
    assert isinstance(path, Path)
    return path
