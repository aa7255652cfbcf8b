"""``deploy`` and ``where``: what runs where, remembered."""

from enum import Enum

from xbot import Failed, Message, brain, respond


class Stage(Enum):
    staging = "staging"
    production = "production"


@respond(
    r"deploy (?P<app>[\w-]+)( to (?P<stage>\w+))?",
    usage="deploy APP [to STAGE]",
    help="ship APP (to staging)",
    example=("deploy web to production", "web is on production"),
)
async def deploy(message: Message, app: str, stage: Stage = Stage.staging) -> str:
    brain[app] = stage.value
    return f"{app} is on {stage.value}, {message.speaker}."


@respond(
    r"where is (?P<app>[\w-]+)",
    usage="where is APP",
    help="what runs where",
    example=("where is web", "web is on production"),
    effect=False,
)
async def where(message: Message, app: str) -> str:
    if app not in brain:
        raise Failed(f"I do not know {app}.")
    return f"{app} is on {brain[app]}."
