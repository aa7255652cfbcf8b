"""Which ini a command reads: ``--config``, or the one that the daemon would."""

from __future__ import annotations

import argparse
from pathlib import Path

from xbot import config


def add_to(parser: argparse._ActionsContainer) -> None:
    """The option."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the ini (default: the one the daemon would read)",
    )


def path_of(options: argparse.Namespace) -> Path:
    """Where it is.

    :raises xbot.model.errors.InvalidConfig: when there is none.
    """
    path = options.config or config.find()
    assert isinstance(path, Path)
    return path
