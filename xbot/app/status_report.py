"""Status report: convert responders and finished runs into the values of an Overview."""

from __future__ import annotations

from xbot.engine.dispatch.runs import Run
from xbot.model.recent_events import MAX_NAME, Command
from xbot.model.status import Skill
from xbot.runtime.responder import Responder


def skill(responder: Responder) -> Skill:
    """The status entry of a responder, with the usage and help of its first command."""
    route = next((route for route in responder.routes if route.usage), responder.routes[0])
    return Skill(responder.name, route.usage, route.help, responder.has_effects)


def is_command(run: Run) -> bool:
    """Whether a finished run is one for people to see: not a part of the dispatcher, such as
    the answer to a question, nor a fallback that had nothing to say.
    """
    is_mute_fallback = run.route.kind == "fallback" and run.fate == "silent"
    return not run.responder.is_internal and not is_mute_fallback


def command(run: Run, when: float, now: float) -> Command:
    """The status entry of a finished run; ``when``: seconds since 1970, ``now``: reactor time."""
    message = run.message
    return Command(
        when,
        run.responder.name,
        (message.nick or message.sender)[:MAX_NAME],
        (message.room or "")[:MAX_NAME],
        str(run.fate),
        None if run.began is None else max(0.0, now - run.began),
    )
