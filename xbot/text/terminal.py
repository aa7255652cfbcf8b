"""What was said, as a terminal shows it: nothing in it can steer the terminal."""

from __future__ import annotations

import io
from typing import IO


def show_all(stream: IO[str] | None) -> None:
    """From now on what the encoding of ``stream`` does not have is escaped, and no error."""
    # It is None where it is closed, and something else in tests.
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def safe(text: str) -> str:
    """``text`` with a visible mark for whatever is neither printable nor the end of a line."""
    return "".join(
        character if character.isprintable() or character == "\n" else "\ufffd"
        for character in text
    )


def as_line(nick: str, text: str) -> str:
    """What ``nick`` said, with its further lines below the first one's beginning."""
    return indented(f"{nick}> {text}", len(nick) + 2) + "\n"


def indented(text: str, columns: int) -> str:
    """``text``, made safe, with all lines but the first moved right."""
    return safe(text).replace("\n", "\n" + " " * columns)
