"""Status report of the whole bot: what its parts tell, as one :class:`Overview`."""

from __future__ import annotations

from xbot.engine.dispatch.runs import Run
from xbot.model.recent_events import MAX_NAME, Command
from xbot.model.status import Skill
from xbot.runtime.responder import Responder


def skill(responder: Responder) -> Skill:
    """What people may know of a responder: its first command stands for all."""
    route = next((route for route in responder.routes if route.usage), responder.routes[0])
    return Skill(responder.name, route.usage, route.help, responder.has_effects)


def command(run: Run, when: float, now: float) -> Command:
    """A run that is over, ``when`` being the time of day and ``now`` the clock's."""
    message = run.message
    return Command(
        when,
        run.responder.name,
        (message.nick or message.sender)[:MAX_NAME],
        (message.room or "")[:MAX_NAME],
        str(run.fate),
        None if run.began is None else max(0.0, now - run.began),
    )
