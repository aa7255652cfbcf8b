"""Sanitise text for a terminal: no control or escape sequence gets through."""

from __future__ import annotations

import io
from typing import IO


def show_all(stream: IO[str] | None) -> None:
    """Escape what the encoding of ``stream`` cannot represent, instead of raising an error."""
    # A closed standard stream is None; tests pass other objects.
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def safe(text: str) -> str:
    """``text`` with U+FFFD for every character that is neither printable nor a newline."""
    return "".join(
        character if character.isprintable() or character == "\n" else "\ufffd"
        for character in text
    )


def as_line(nick: str, text: str) -> str:
    """``nick> text``, with further lines indented to the column of the first one's text."""
    return indented(f"{nick}> {text}", len(nick) + 2) + "\n"


def indented(text: str, columns: int) -> str:
    """``text``, sanitised by :func:`safe`, with all lines but the first indented."""
    return safe(text).replace("\n", "\n" + " " * columns)
