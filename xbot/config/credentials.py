"""Passwords from files that nobody else can read, and files that are read safely."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from xbot.config.settings import Secret
from xbot.model.errors import XbotError

#: More than any password, in bytes: a file this large was named by mistake.
MAX_PASSWORD = 4096

#: More than any private key, or chain of certificates.
MAX_KEY = 1 << 16

#: Where systemd puts what ``LoadCredential=`` names.
DIRECTORY = "CREDENTIALS_DIRECTORY"


class Unusable(XbotError, ValueError):
    """A file that cannot be read, or must not be. ``reason`` names it and the cure."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_file(path: Path, limit: int) -> tuple[bytes, os.stat_result]:
    """The bytes of the regular file ``path``, and the status of what was read."""
    try:
        # A pipe would block here, and a device might never end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Unusable(f"{path} is no regular file")
            data = file.read(limit + 1)
    except FileNotFoundError as error:
        raise Unusable(f"there is no file {path}") from error
    except IsADirectoryError as error:
        raise Unusable(f"{path} is a directory, not a file") from error
    except OSError as error:
        raise Unusable(f"cannot read {path}: {error.strerror}") from error
    if len(data) > limit:
        raise Unusable(f"{path} is too large: more than {limit} bytes")
    return data, status


def exposure(path: Path, mode: int, owner: int, us: int) -> str | None:
    """Why a file of this mode and owner cannot keep a secret of user ``us``, or None."""
    if owner not in (us, 0):
        return f"{path} belongs to user {owner}; it must belong to the bot's user ({us}) or root"
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"{path} is open to other users: chmod 600 {path}"
    return None


def is_protected(path: Path, environ: Mapping[str, str]) -> bool:
    """Whether systemd keeps ``path`` from other users, whatever its mode says."""
    directory = environ.get(DIRECTORY)
    return bool(directory) and path.resolve().is_relative_to(Path(directory or "").resolve())


def read_private(path: Path, environ: Mapping[str, str], us: int, limit: int) -> bytes:
    """The bytes of a file that nobody but user ``us`` can read, or :class:`Unusable`."""
    data, status = read_file(path, limit)
    reason = exposure(path, status.st_mode, status.st_uid, us)
    if reason and not is_protected(path, environ):
        raise Unusable(reason)
    return data


def read_password(path: Path, environ: Mapping[str, str], us: int) -> Secret:
    """The password in ``path``, one newline at its end removed, or :class:`Unusable`."""
    data = read_private(path, environ, us, MAX_PASSWORD)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        # The error carries the bytes themselves: it must not be seen.
        raise Unusable(f"{path} is not UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise Unusable(f"{path} is empty: write the password into it")
    if any(character < " " or character == "\x7f" for character in text):
        raise Unusable(f"{path} must hold the password alone, on one line")
    return Secret(text)


def default_file(environ: Mapping[str, str], name: str = "xmpp.password") -> Path | None:
    """The file of that name as systemd hands it over, if it does."""
    directory = environ.get(DIRECTORY)
    path = Path(directory, name).absolute() if directory else None
    return path if path and os.path.exists(path) else None
