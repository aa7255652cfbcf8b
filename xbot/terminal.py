"""What was said, as a terminal shows it: nothing in it can steer the terminal. Pure."""

from __future__ import annotations


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
