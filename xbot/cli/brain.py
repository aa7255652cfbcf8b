"""``xbot brain``: what responders remember, out and in again."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from xbot.cli import state
from xbot.state.brain import portable
from xbot.state.brain.brain import FILE_NAME as BRAIN_NAME
from xbot.state.brain.errors import BrainFull, BrainUnavailable, UnusableBrain
from xbot.state.brain.file import Content, read_content
from xbot.state.brain.lasting import clocks
from xbot.state.brain.portable import InvalidExport
from xbot.state.sqlite.file import BrokenFile


def add_to(commands: Any) -> None:
    """The command and its options."""
    brain = commands.add_parser("brain", help="export what responders remember, or import it")
    deeds = brain.add_subparsers(metavar="DEED", required=True)
    exporting = deeds.add_parser(
        "export",
        help="print all of it as JSON",
        description="Prints what responders remember as JSON, by responder, with the time at which"
        " it expires. It reads the file alone and changes nothing, so the daemon may be running;"
        " what it remembered in the last second may be missing then. Where nothing was remembered"
        " yet, the export is empty.",
    )
    exporting.set_defaults(command=_export)
    importing = deeds.add_parser(
        "import",
        help="take in what was exported",
        description="Takes in what export has printed. What is remembered under the same keys is"
        " replaced, all else stays. Everything is checked first: with a mistake in it, or without"
        " room for all of it, nothing is changed. Stop the daemon before.",
    )
    importing.add_argument("file", metavar="FILE", type=Path, help="the JSON")
    importing.set_defaults(command=_import)
    for deed in (exporting, importing):
        state.add_to(deed)


def _export(options: argparse.Namespace) -> int:
    path = state.state_of(options) / BRAIN_NAME
    try:
        content = read_content(path)
    except BrainUnavailable as unavailable:
        if not _is_unused(path):
            print(unavailable, file=sys.stderr)
            return 1
        # Not without a word: it may be the wrong folder.
        print(f"{path.parent}: nothing is remembered here yet", file=sys.stderr)
        content = Content([], None, 0)
    print(portable.as_json(content, clocks()), end="")
    return 0


def _is_unused(path: Path) -> bool:
    """Whether there is the folder, and no file, which is made when there is something for it."""
    try:
        return path.name not in os.listdir(path.parent)
    except OSError:
        return False


def _import(options: argparse.Namespace) -> int:
    try:
        path = state.state_of(options) / BRAIN_NAME
        try:
            with options.file.open("rb") as file:
                data = file.read(portable.MAX_SIZE + 1)
        except OSError as error:
            raise InvalidExport([f"cannot be read: {error.strerror}"]) from None
        if len(data) > portable.MAX_SIZE:
            raise InvalidExport([f"it is longer than {portable.MAX_SIZE} bytes"])
        done = portable.import_into(path, portable.parse(data), clocks())
    except InvalidExport as invalid:
        for told in invalid.problems:
            print(f"{options.file}: {told}", file=sys.stderr)
        print("nothing was changed", file=sys.stderr)
        return 1
    except (OSError, BrainUnavailable, UnusableBrain, BrainFull, BrokenFile) as error:
        print(f"{error}; nothing was changed", file=sys.stderr)
        return 1
    print(done)
    return 0
