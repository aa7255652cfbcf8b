"""Usage: the help entry of one command."""

from __future__ import annotations

from typing import NamedTuple


class Usage(NamedTuple):
    """A command's responder, its syntax (``usage``), and one line of help, which may be empty."""

    responder: str
    usage: str
    help: str
