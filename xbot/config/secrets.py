"""Read the files and passwords that options name; report what is wrong with them."""

from __future__ import annotations

import os
from pathlib import Path

from xbot.config import credentials
from xbot.config.sections import ConvertedSection
from xbot.config.settings import Secret


def read_path(section: ConvertedSection, option: str) -> Path | None:
    """The path that ``option`` names, or None; a missing file is a problem."""
    if option not in section.values:
        return None
    source = section.source
    locate = source.locate_secret if option == "key-file" else source.locate
    path = locate(section.values[option])
    if not os.path.isfile(path):
        section.blame(option, f"there is no file {path}")
    return path


def read_password(section: ConvertedSection) -> Secret | None:
    """The password that ``password`` or ``password-file`` gives; None if neither is set."""
    source = section.source
    if section.has("password"):
        if section.has("password-file"):
            blame_both(section, "password-file", "password")
        reason = credentials.exposure(source.path, source.mode, source.owner, source.us)
        if reason:
            section.blame("password", f"{reason}; or move the password to a password-file")
        value: Secret | None = section.values.get("password")
        return value
    if "password-file" in section.values:
        path = source.locate_secret(section.values["password-file"])
        return read_password_file(section, "password-file", path)
    return None


def read_password_file(section: ConvertedSection, option: str, path: Path) -> Secret | None:
    """The secret in the file ``path``, or None; a file that cannot be used is a problem."""
    try:
        return credentials.read_password(path, section.source.environ, section.source.us)
    except credentials.Unusable as error:
        section.blame(option, error.reason)
        return None


def blame_both(section: ConvertedSection, blamed: str, other: str) -> None:
    """Add a problem: ``blamed`` and ``other`` exclude each other, and both are set."""
    section.blame(blamed, f"{other} is set as well; only one of them can be")
