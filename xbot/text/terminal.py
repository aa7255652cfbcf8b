"""Sanitise text for a terminal: no control or escape sequence gets through."""

from __future__ import annotations

import io
import re
from typing import IO

#: ECMA-48: CSI sequences (colours), strings such as OSC (titles, links), and other escapes.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[PX^_\]]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
#: A character that a terminal overwrites.
_OVERSTRUCK = re.compile(r"[^\x08]\x08")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printed(text: str) -> str:
    """What a terminal would show of a program's output: without colours and control characters.

    Lines end with a newline; a progress bar (lines that return to their start) leaves its
    last state.
    """
    lines = _ESCAPES.sub("", text).split("\n")
    shown = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return _CONTROLS.sub("", _OVERSTRUCK.sub("", shown))


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
