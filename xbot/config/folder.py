"""Responder folder: each Python file in ``[xbot] responders`` is a responder named like it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from xbot.config import ini
from xbot.config.sections import Source

#: Maximum number of files; a folder with more was named by mistake.
MAX_FILES = 1000


def read_folder(source: Source, sections: Iterable[ini.Section]) -> None:
    """Add the files in the folder ``[xbot] responders`` to :attr:`Source.files`, by name.

    Files whose names begin with ``_`` or a dot are skipped. Problems are added to ``source``.
    """
    bot = next((section for section in sections if section.kind == "xbot"), None)
    option = bot.options.get("responders") if bot else None
    if option is None or not option.value or "\n" in option.value:
        return
    folder = source.locate(Path(option.value))
    try:
        names, reason = sorted(os.listdir(folder)), None
    except OSError as error:
        reason, names = f"cannot read the folder {folder}: {error.strerror}", []
    if len(names) > MAX_FILES:
        reason, names = f"{folder} has more than {MAX_FILES} files", []
    reasons = [reason] if reason else []
    code = [] if reason else [folder]
    for name in names:
        path = folder / name
        stem = name.removesuffix(".py")
        # Folders and files with a leading _ are imported by others: check them, too.
        if path.is_dir() and not name.startswith("."):
            code.append(path)
        if stem == name or name.startswith(".") or not path.is_file():
            continue
        code.append(path)
        if name.startswith("_"):
            continue
        if not re.fullmatch(r"[\w-]+", stem):
            reasons.append(f"{path}: a responder's name has only letters, digits, _ and -")
        else:
            source.files[stem] = path.absolute()
    for reason in reasons:
        source.blame(option.line, "xbot", "responders", reason)
    source.check_trust(option.line, "xbot", "responders", code)
