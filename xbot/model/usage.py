"""Usage: the help entry of one command."""

from __future__ import annotations

from typing import NamedTuple


class Usage(NamedTuple):
    """A command's responder, its syntax (``usage``), and one line of help, which may be empty.

    ``heard``: no command, but found in anything that people say in a room.
    """

    responder: str
    usage: str
    help: str
    heard: bool = False
