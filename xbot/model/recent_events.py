"""Ring buffers of recent commands and connection changes, for the status page. In memory only."""

from __future__ import annotations

from collections import deque

from attrs import frozen

#: Maximum number of commands, and of connection changes, in the buffers.
MAX_COMMANDS, MAX_CHANGES = 50, 50

#: Maximum length of a sender's and a room's address in a :class:`Command`, in characters.
MAX_NAME = 200


@frozen
class Command:
    """One finished run: when (seconds since 1970), responder, sender, place, and outcome.

    ``seconds`` is how long it took, or None if it never started. The text of the
    message is left out: it is private to its sender.
    """

    when: float
    responder: str
    who: str
    where: str
    outcome: str
    seconds: float | None = None


@frozen
class Change:
    """One state change of the connection, at ``when``; ``problem`` is the reason, if any."""

    when: float
    state: str
    problem: str | None = None


class RecentEvents:
    """The latest commands and connection changes, oldest first."""

    def __init__(self) -> None:
        self.commands: deque[Command] = deque(maxlen=MAX_COMMANDS)
        self.changes: deque[Change] = deque(maxlen=MAX_CHANGES)
