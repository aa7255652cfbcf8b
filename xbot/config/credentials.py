"""Read passwords and keys from files, and check that other users cannot read these."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from xbot.config.settings import Secret
from xbot.model.errors import XbotError

#: Maximum size of a password file, in bytes; a larger file was named by mistake.
MAX_PASSWORD = 4096

#: Maximum size of a private key or certificate chain, in bytes.
MAX_KEY = 1 << 16

#: Environment variable with the folder of systemd's ``LoadCredential=`` files.
DIRECTORY = "CREDENTIALS_DIRECTORY"


class Unusable(XbotError, ValueError):
    """The file cannot be read, or is not private. ``reason`` names the file and the remedy."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_file(path: Path, limit: int) -> tuple[bytes, os.stat_result]:
    """The bytes of the regular file ``path``, at most ``limit``, and its stat; or Unusable."""
    try:
        # Non-blocking: opening a named pipe would hang.
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
    """Why a file of this mode and owner is not private to the user ID ``us``; None if it is."""
    if owner not in (us, 0):
        return f"{path} belongs to user {owner}; it must belong to the bot's user ({us}) or root"
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"{path} is open to other users: chmod 600 {path}"
    return None


def is_protected(path: Path, environ: Mapping[str, str]) -> bool:
    """Whether ``path`` is in systemd's credentials folder, which is private whatever its mode."""
    directory = environ.get(DIRECTORY)
    return bool(directory) and path.resolve().is_relative_to(Path(directory or "").resolve())


def read_private(path: Path, environ: Mapping[str, str], us: int, limit: int) -> bytes:
    """The bytes of a file that only the user ID ``us`` can read, or :class:`Unusable`."""
    data, status = read_file(path, limit)
    reason = exposure(path, status.st_mode, status.st_uid, us)
    if reason and not is_protected(path, environ):
        raise Unusable(reason)
    return data


def read_password(path: Path, environ: Mapping[str, str], us: int) -> Secret:
    """The password in ``path``, without a trailing newline, or :class:`Unusable`."""
    data = read_private(path, environ, us, MAX_PASSWORD)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        # from None: UnicodeDecodeError holds the password's bytes.
        raise Unusable(f"{path} is not UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise Unusable(f"{path} is empty: write the password into it")
    if any(character < " " or character == "\x7f" for character in text):
        raise Unusable(f"{path} must hold the password alone, on one line")
    return Secret(text)


def default_file(environ: Mapping[str, str], name: str = "xmpp.password") -> Path | None:
    """The systemd credential called ``name`` as a path, or None if there is none."""
    directory = environ.get(DIRECTORY)
    path = Path(directory, name).absolute() if directory else None
    return path if path and os.path.exists(path) else None
