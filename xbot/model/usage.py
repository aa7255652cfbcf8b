"""What people read of a command."""

from __future__ import annotations

from typing import NamedTuple


class Usage(NamedTuple):
    """How a command of the responder is written, and what it does; ``help`` may be empty."""

    responder: str
    usage: str
    help: str
