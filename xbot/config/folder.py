"""The folder of responders: each Python file in it is one, by the file's name."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from xbot.config import ini
from xbot.config.sections import Source

#: A folder with more files was named by mistake.
MAX_FILES = 1000


def read_folder(source: Source, sections: Iterable[ini.Section]) -> None:
    """Find the files of ``[xbot] responders`` for :attr:`Source.files`, by name.

    Files whose names begin with ``_`` or a dot are none. Whatever is wrong is blamed.
    """
    bot = next((section for section in sections if section.kind == "xbot"), None)
    option = bot.options.get("responders") if bot else None
    if option is None or not option.value or "\n" in option.value:
        return
    folder = source.locate(Path(option.value))
    try:
        names = sorted(os.listdir(folder))
        reason = _exposure(folder, source.us)
    except OSError as error:
        reason, names = f"cannot read the folder {folder}: {error.strerror}", []
    if len(names) > MAX_FILES:
        reason, names = f"{folder} has more than {MAX_FILES} files", []
    reasons = [reason] if reason else []
    for name in names:
        path = folder / name
        stem = name.removesuffix(".py")
        if stem == name or name.startswith(".") or not path.is_file():
            continue
        # Those that are only imported by others are code, too.
        if exposure := _exposure(path, source.us):
            reasons.append(exposure)
        elif name.startswith("_"):
            continue
        elif not re.fullmatch(r"[\w-]+", stem):
            reasons.append(f"{path}: a responder's name has only letters, digits, _ and -")
        else:
            source.files[stem] = path.absolute()
    for reason in reasons:
        source.blame(option.line, "xbot", "responders", reason)


def _exposure(path: Path, us: int) -> str | None:
    """Who else could put code there that we would run."""
    status = path.stat()
    if status.st_mode & stat.S_IWOTH:
        return f"anyone can write to it: chmod o-w {path}"
    if status.st_uid not in (0, us):
        return f"{path} belongs to somebody else (user {status.st_uid}), who could change it"
    return None
