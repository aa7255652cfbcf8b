"""``xbot brain``: export the brain to JSON, and import it again."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from xbot.cli import state
from xbot.model.file_state import FileUnavailable, UnusableFile
from xbot.state.brain import portable
from xbot.state.brain.brain import FILE_NAME as BRAIN_NAME
from xbot.state.brain.errors import BrainFull
from xbot.state.brain.file import Content, read_content
from xbot.state.brain.lasting import clocks
from xbot.state.brain.portable import InvalidExport
from xbot.state.sqlite.file import BrokenFile


def add_to(commands: Any) -> None:
    brain = commands.add_parser("brain", help="export what responders remember, or import it")
    actions = brain.add_subparsers(metavar="ACTION", required=True)
    exporting = actions.add_parser(
        "export",
        help="print all of it as JSON",
        description="Prints what responders remember as JSON, by responder, with the time at which"
        " it expires. It only reads the file, so the daemon may be running; changes of the last"
        " second may be missing then. If nothing was remembered yet, the export is empty.",
    )
    exporting.set_defaults(command=_export)
    importing = actions.add_parser(
        "import",
        help="import an export",
        description="Merges an export into the brain. Values of the same keys are replaced, all"
        " others stay. The whole file is checked first: if it has an error, or there is no room"
        " for all of it, nothing is changed. Stop the daemon first.",
    )
    importing.add_argument("file", metavar="FILE", type=Path, help="the exported JSON")
    importing.set_defaults(command=_import)
    for action in (exporting, importing):
        state.add_to(action)


def _export(options: argparse.Namespace) -> int:
    path = state.folder_of(options) / BRAIN_NAME
    try:
        content = read_content(path)
    except FileUnavailable as unavailable:
        if not _is_unused(path):
            print(unavailable, file=sys.stderr)
            return 1
        # Print a hint: it may be the wrong folder.
        print(f"{path.parent}: nothing is remembered here yet", file=sys.stderr)
        content = Content([], None, 0)
    print(portable.as_json(content, clocks()), end="")
    return 0


def _is_unused(path: Path) -> bool:
    """Whether the folder exists without the file, which is only created at the first write."""
    try:
        return path.name not in os.listdir(path.parent)
    except OSError:
        return False


def _import(options: argparse.Namespace) -> int:
    try:
        path = state.folder_of(options) / BRAIN_NAME
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
    except (OSError, FileUnavailable, UnusableFile, BrainFull, BrokenFile) as error:
        print(f"{error}; nothing was changed", file=sys.stderr)
        return 1
    print(done)
    return 0
