"""What happened lately, for whoever looks: bounded, and gone with the process."""

from __future__ import annotations

from collections import deque

from attrs import frozen

#: So many commands, and so many changes of the connection, are remembered.
MAX_COMMANDS, MAX_CHANGES = 50, 50

#: Of who said it, and where, no more characters are kept.
MAX_NAME = 200


@frozen
class Command:
    """A run that is over: when (seconds since 1970), whose, for whom, where, and what came of it.

    ``seconds`` is how long it took, or None where it never started. What was
    said is not here: it belongs to who said it.
    """

    when: float
    responder: str
    who: str
    where: str
    outcome: str
    seconds: float | None = None


@frozen
class Change:
    """The connection went over to ``state``, because of ``problem`` if there was one."""

    when: float
    state: str
    problem: str | None = None


class RecentEvents:
    """The last commands and the last changes of the connection, the newest last."""

    def __init__(self) -> None:
        self.commands: deque[Command] = deque(maxlen=MAX_COMMANDS)
        self.changes: deque[Change] = deque(maxlen=MAX_CHANGES)
